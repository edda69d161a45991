"""Where images of tasks come from; above all, where they do not come from."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.label_studio.asking import LabelStudio, running
from tests.tiny import photo
from zeroseg.errors import ImageError
from zeroseg.label_studio import TaskImages, task_images


def png(seed: int = 0) -> bytes:
    """The bytes of a picture."""
    buffer = BytesIO()
    photo(8, 6, seed).save(buffer, format="PNG")
    return buffer.getvalue()


def assert_same(read: Image.Image, seed: int = 0) -> None:
    """The picture of `png`."""
    np.testing.assert_array_equal(np.asarray(read), np.asarray(photo(8, 6, seed)))


def test_local_files(tmp_path: Path) -> None:
    """Their own paths, those of local storage, and uploads."""
    (tmp_path / "upload" / "3").mkdir(parents=True)
    (tmp_path / "my dog.png").write_bytes(png())
    (tmp_path / "upload" / "3" / "é.png").write_bytes(png(1))
    images = TaskImages(tmp_path)
    for source in ("my dog.png", "/data/local-files/?d=my%20dog.png", "/data/local-files/?d=/my+dog.png"):
        assert_same(images.load(source))
    assert_same(images.load("/data/upload/3/%C3%A9.png"), 1)


def test_data_in_the_task(tmp_path: Path) -> None:
    """A data URI, and damaged ones."""
    images = TaskImages(tmp_path)
    assert_same(images.load("data:image/png;base64," + base64.b64encode(png()).decode()))
    for source in ("data:image/png,abc", "data:image/png;base64,§", "data:", "data:image/png;base64,AAAA"):
        with pytest.raises(ImageError, match=r"data URI|image in a task's data"):
            images.load(source)


@pytest.mark.parametrize(
    "source",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://localhost:1/a.png",
        "https://localhost:{port}/data/a.png",
        "http://localhost:{port}@example.org/data/a.png",
        "http://127.0.0.1:{port}/data/a.png",
        "//example.org/data/a.png",
        "file:///etc/passwd",
        "s3://bucket/a.png",
        "http://localhost:99999999/a.png",
        "http://[::1/a.png",
    ],
)
def test_no_other_address_is_fetched(source: str, tmp_path: Path) -> None:
    """Other hosts, ports and schemes; and what only looks like our host."""
    server = LabelStudio({"/data/a.png": png()})
    with running(server) as port:
        images = TaskImages(tmp_path, f"http://localhost:{port}", "secret")
        with pytest.raises(ImageError, match=r"is not fetched|is no address"):
            images.load(source.format(port=port))
        assert server.asked == []


@pytest.mark.parametrize("source", ["http://localhost:8080/data/a.png", "/data/a.png"])
def test_nothing_is_fetched_without_a_host(source: str, tmp_path: Path) -> None:
    """The server has to be named at the start."""
    with pytest.raises(ImageError, match=r"is not fetched|there is no file"):
        TaskImages(tmp_path).load(source)


def test_files_of_label_studio(tmp_path: Path) -> None:
    """With the token; local files come first; only addresses of its data are asked for."""
    (tmp_path / "here.png").write_bytes(png(2))
    server = LabelStudio({"/data/upload/1/a%20b.png": png(), "/data/local-files/?d=c.png": png(1), "/x.png": png()})
    with running(server) as port:
        images = TaskImages(tmp_path, f"http://localhost:{port}/", "secret")
        assert_same(images.load("/data/upload/1/a%20b.png"))
        assert_same(images.load(f"http://localhost:{port}/data/local-files/?d=c.png"), 1)
        assert_same(images.load(f"http://localhost:{port}/data/local-files/?d=here.png"), 2)
        with pytest.raises(ImageError, match="there is no file"):
            images.load("/x.png")
        with pytest.raises(ImageError, match=r"cannot be fetched .*404"):
            images.load("/data/upload/1/none.png")
        assert_same(images.load("/data/upload/1/a b.png"))
    assert {authorization for _, authorization in server.asked} == {"Token secret"}
    assert len(server.asked) == 4


def test_personal_access_tokens_are_exchanged(tmp_path: Path) -> None:
    """Newer versions of Label Studio have no others."""
    server = LabelStudio({"/data/a.png": png()})
    with running(server) as port:
        assert_same(TaskImages(tmp_path, f"http://localhost:{port}", "a.b.c").load("/data/a.png"))
        with pytest.raises(ImageError, match="did not exchange the access token"):
            TaskImages(tmp_path, f"http://localhost:{port}", "x.y.z").load("/data/a.png")
    assert server.asked == [("/data/a.png", "Bearer short")]


def test_redirections_are_not_followed(tmp_path: Path) -> None:
    """They would take the server, and the token, elsewhere."""
    other = LabelStudio({"/data/a.png": png()})
    with running(other) as elsewhere:
        server = LabelStudio({}, {"/data/a.png": f"http://localhost:{elsewhere}/data/a.png"})
        with running(server) as port, pytest.raises(ImageError, match="redirections are not followed"):
            TaskImages(tmp_path, f"http://localhost:{port}", "secret").load("/data/a.png")
    assert other.asked == []


def test_large_files_are_not_read_to_their_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit."""
    monkeypatch.setattr(task_images, "LARGEST", 20)
    with running(LabelStudio({"/data/a.png": png()})) as port, pytest.raises(ImageError, match="larger than 20 bytes"):
        TaskImages(tmp_path, f"http://localhost:{port}").load("/data/a.png")
