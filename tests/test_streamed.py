"""Images in Parquet files that stay where they are: here a server of files on this machine stands for the hub."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.images.pictures import assert_close, gradient, stored
from tests.tiny import VIEWS, teacher
from zeroseg.archives import STREAMED_SET, is_member, read_bytes, status_of, streamed
from zeroseg.errors import ImageError
from zeroseg.feature_cache import build_cache
from zeroseg.image_index import Stamp
from zeroseg.images import list_images, load_image, search_images

pa = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")
datasets = pytest.importorskip("datasets")
ROWS = 12
CONTENTS = [b"%d" % number for number in range(ROWS)]
FILE, COMMIT = "train-00000-of-00001.parquet", "a" * 40


@pytest.fixture(autouse=True)
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing is asked of the hub, and nothing is remembered from one test to the next."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    forget()
    yield
    forget()


def forget() -> None:
    streamed._addresses.cache_clear()  # pyright: ignore[reportPrivateUsage]
    streamed._status.cache_clear()  # pyright: ignore[reportPrivateUsage]


def write(path: Path, images: list[bytes]) -> Path:
    """A Parquet file with three images in a row group."""
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.table({"image": images}), path, row_group_size=3, compression="none")
    return path


class Hub(BaseHTTPRequestHandler):
    """As much of the hub's interface as its libraries ask for: one data set, `some/photos`, of one file."""

    def __init__(self, content: bytes, asked: list[tuple[int, int]], *given: object):
        self.content, self.asked = content, asked
        super().__init__(*given)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        file = {"type": "file", "path": FILE, "size": len(self.content), "oid": "b" * 40}
        if "/tree/" in path:
            self._answer(json.dumps([] if path.endswith("/data") else [file]).encode())
        elif path.startswith("/api/datasets/some/photos"):
            self._answer(json.dumps({"id": "some/photos", "sha": COMMIT, "siblings": [{"rfilename": FILE}]}).encode())
        elif path.endswith("/README.md"):
            self._answer(b"---\nlicense: cc0-1.0\n---\n")
        elif path.endswith(FILE):
            asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
            first, last = map(int, asked.groups()) if asked else (0, len(self.content) - 1)
            if self.command == "GET":
                self.asked.append((first, last))
            self._answer(self.content[first : last + 1], 206 if asked else 200, first)
        else:
            self._answer(b"{}", 404)

    def do_HEAD(self) -> None:
        self.do_GET()

    def _answer(self, content: bytes, code: int = 200, first: int = 0) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Range", f"bytes {first}-{first + len(content) - 1}/{len(self.content)}")
        self.send_header("Content-Type", "application/json")
        self.send_header("ETag", '"first"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_a_data_set_of_the_hub_is_cached_while_it_stays_there(tmp_path: Path):
    """The hub's own libraries ask for parts of the file: its end, then each row group once for each of two readers."""
    noise = np.random.default_rng(0).integers(0, 256, (ROWS, 128, 128, 3), np.uint8)
    images = [stored(Image.fromarray(one), "PNG") for one in noise]
    content, asked = write(tmp_path / FILE, images).read_bytes(), list[tuple[int, int]]()
    server = ThreadingHTTPServer(("localhost", 0), partial(Hub, content, asked))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    own = {"HF_ENDPOINT": f"http://localhost:{server.server_port}", "HF_HOME": str(tmp_path / "home")}
    keep = {name: value for name, value in os.environ.items() if "PROXY" not in name.upper()}
    environment = {**keep, **own, "HF_HUB_OFFLINE": "0", "HF_DATASETS_OFFLINE": "0"}
    cache = [sys.executable, "-m", "zeroseg", "cache", "hf-stream:some/photos/train", "--out", str(tmp_path / "cache")]
    done = subprocess.run([*cache, "--workers", "2", "--shard", "6"], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{ROWS} images embedded, 0 already there")
    assert max(last - first for first, last in asked) < len(content) / 3
    groups = [(first, last) for first, last in asked if last < len(content) - 1]
    assert len(set(groups)) == ROWS // 3
    again = subprocess.run(cache, env=environment, capture_output=True, text=True)
    assert again.stdout.startswith(f"0 images embedded, {ROWS} already there"), again.stderr
    server.shutdown()
    server.server_close()


def test_a_lost_connection_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Whatever the library of the connection raises; when it is there again, the image is read."""
    write(tmp_path / "set/data/train-00000-of-00001.parquet", CONTENTS)
    file = Path(f"{STREAMED_SET}{tmp_path}/set/train/00000.parquet")

    def gone(_: Path) -> None:
        raise RuntimeError("the line broke")

    with monkeypatch.context() as lost:
        lost.setattr("zeroseg.archives.rows.open_streamed", gone)
        with pytest.raises(ImageError, match=r"00000.parquet' .* \(the line broke\); check the connection"):
            read_bytes(file / "9")
    assert read_bytes(file / "9") == CONTENTS[9]
    with pytest.raises(FileNotFoundError, match="no such row"):
        read_bytes(file / str(ROWS))
    assert not is_member(file.with_name("00001.parquet") / "0")


@pytest.mark.parametrize("place", ["near", "far"])
@pytest.mark.parametrize("compression", ["snappy", "zstd"])
def test_a_damaged_file_is_called_so_and_not_a_lost_connection(place: str, compression: str, tmp_path: Path):
    """Arrow has several kinds of errors for it, of which one is also that of the file system."""
    file = tmp_path / "set/data/train-00000-of-00001.parquet"
    file.parent.mkdir(parents=True)
    parquet.write_table(pa.table({"image": [b"noise" * 2000] * 3}), file, compression=compression)
    content = bytearray(file.read_bytes())
    content[4:200] = b"\xff" * 196
    file.write_bytes(content)
    path = Path(f"{STREAMED_SET}{tmp_path}/set/train/00000.parquet") if place == "far" else file
    with pytest.raises(ImageError, match=r"parquet' is damaged \(.+\); write or download it again"):
        read_bytes(path / "1")


def test_a_split_is_a_list_of_images(tmp_path: Path):
    """In the order of the library; features are those of the same images in a folder, made once."""
    pictures = [gradient(), gradient().rotate(90), gradient().rotate(180)]
    images = [stored(picture, "PNG") for picture in pictures]
    write(tmp_path / "set/data/train-00000-of-00002.parquet", images[:2])
    write(tmp_path / "set/data/train-00001-of-00002.parquet", images[2:])
    found = list_images([f"{STREAMED_SET}{tmp_path}/set/train"])
    assert [path.name for path in found] == ["0", "1", "0"]
    assert [path.parent.name for path in found] == ["00000.parquet", "00000.parquet", "00001.parquet"]
    assert_close(load_image(found[2]), pictures[2])
    assert list_images([found[2]]) == [found[2]]
    assert [one.path for one in search_images(found).pictures] == list(found)
    assert build_cache(found, teacher(), VIEWS, tmp_path / "features", workers=1).embedded == 3
    for number, image in enumerate(images):
        (tmp_path / f"{number}.png").write_bytes(image)
    again = build_cache(list_images([tmp_path / "0.png", tmp_path / "2.png"]), teacher(), VIEWS, tmp_path / "features")
    assert (again.embedded, again.found) == (0, 2)


def test_an_image_has_one_stamp_wherever_the_run_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """So that an image is not read again when a run goes on in another folder."""
    size = write(tmp_path / "set/data/train-00000-of-00001.parquet", CONTENTS).stat().st_size
    file = Path(f"{STREAMED_SET}{tmp_path}/set/train/00000.parquet")
    first = Stamp.of(file / "3")
    monkeypatch.chdir(tmp_path)
    assert Stamp.of(file / "3") == first
    assert first != Stamp.of(file / "4")
    assert first.is_kept
    assert status_of(file / "3").size == size


def test_what_cannot_be_streamed_is_one_sentence(tmp_path: Path):
    (tmp_path / "set/train").mkdir(parents=True)
    (tmp_path / "set/train/a.png").write_bytes(stored(gradient(), "PNG"))
    text = f"{STREAMED_SET}{tmp_path}/set"
    with pytest.raises(ImageError, match=r"is not in Parquet files \(but 'a.png'\).*hf:/.*/set/train downloads it"):
        list_images([f"{text}/train"])
    with pytest.raises(ImageError, match="has no such split; it has train"):
        list_images([f"{text}/night"])
    with pytest.raises(ImageError, match="write hf-stream:NAME/SPLIT"):
        list_images([f"{STREAMED_SET}train"])
    with pytest.raises(ImageError, match=r"none/train' cannot be loaded .*check the names"):
        list_images([f"{STREAMED_SET}{tmp_path}/none/train"])
