"""Images in the rows of Parquet and Arrow files, and data sets of the library `datasets`; nothing is downloaded."""

import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.images.pictures import assert_close, gradient, stored
from zeroseg.archives import Status, files_of_hub_set, members, read_bytes, status_of
from zeroseg.errors import ImageError
from zeroseg.images import list_images, load_image

pa = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")
CONTENTS = [b"%d" % number * 50 for number in range(10)]
AS_DATASETS = {"label": list(range(10)), "image": [{"bytes": content, "path": "x.png"} for content in CONTENTS]}
AS_BYTES = {"id": [b"1"] * 10, "image": CONTENTS}


def write_rows(path: Path, columns: Mapping[str, Sequence[object]], rows_in_group: int = 3) -> Path:
    """A file of the format that its suffix says; `.arrow` is a stream, as `datasets` writes it."""
    table = pa.table(columns)
    if path.suffix == ".parquet":
        parquet.write_table(table, path, row_group_size=rows_in_group)
    else:
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
            writer.write_table(table, max_chunksize=rows_in_group)
    return path


@pytest.mark.parametrize("columns", [AS_DATASETS, AS_BYTES], ids=["struct", "bytes"])
@pytest.mark.parametrize("name", ["a.parquet", "a.arrow"])
def test_rows_are_read_by_their_numbers(tmp_path: Path, columns: Mapping[str, Sequence[object]], name: str):
    """In any order, over row groups; the time is that of the file, and so is the size."""
    path = write_rows(tmp_path / name, columns)
    assert list(members(path)) == [str(number) for number in range(10)]
    for number in (9, 0, 4, 2, 3):
        assert read_bytes(path / str(number)) == CONTENTS[number]
    assert status_of(path / "3") == Status(path.stat().st_size, path.stat().st_mtime_ns)
    assert list_images([path]) == [path / str(number) for number in range(10)]


@pytest.mark.parametrize("row", ["10", "-1", "03", "x.png", "1/2", "9" * 30])
def test_a_row_that_is_not_there_is_missing(tmp_path: Path, row: str):
    path = write_rows(tmp_path / "a.parquet", AS_BYTES)
    with pytest.raises(FileNotFoundError, match=r"a.parquet' has no such row"):
        read_bytes(path / row)
    with pytest.raises(FileNotFoundError, match=r"a.parquet' has no such row"):
        status_of(path / row)


def test_a_file_of_arrow_is_read_as_a_stream_is(tmp_path: Path):
    """Both have the suffix `.arrow`."""
    table = pa.table(AS_BYTES)
    with pa.OSFile(str(tmp_path / "a.arrow"), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    assert read_bytes(tmp_path / "a.arrow/7") == CONTENTS[7]


def test_rows_may_name_files(tmp_path: Path):
    """`datasets` keeps only the paths of images that lie in folders."""
    (tmp_path / "x.png").write_bytes(b"content")
    images = [{"bytes": None, "path": str(tmp_path / "x.png")}, {"bytes": None, "path": "x.png"}, None]
    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    parquet.write_table(pa.table({"photo": pa.array(images, kind)}), tmp_path / "a.parquet")
    assert read_bytes(tmp_path / "a.parquet/0") == read_bytes(tmp_path / "a.parquet/1") == b"content"
    with pytest.raises(FileNotFoundError, match="the row has no image"):
        read_bytes(tmp_path / "a.parquet/2")


def test_the_column_image_goes_before_others(tmp_path: Path):
    """Else the first one with files, else the first one with bytes; without any, one sentence."""
    files = [{"bytes": b"file", "path": None}]
    assert read_bytes(write_rows(tmp_path / "a.parquet", {"a": files, "image": [b"image"]}) / "0") == b"image"
    assert read_bytes(write_rows(tmp_path / "b.parquet", {"a": [b"bytes"], "b": files}) / "0") == b"file"
    assert read_bytes(write_rows(tmp_path / "c.parquet", {"image": ["text"], "b": [b"bytes"]}) / "0") == b"bytes"
    with pytest.raises(ImageError, match=r"d.parquet' has no images.*its columns are label, text"):
        list(members(write_rows(tmp_path / "d.parquet", {"label": [1], "text": ["x"]})))


def test_a_damaged_file_is_one_sentence(tmp_path: Path):
    for name in ("a.parquet", "a.arrow"):
        (tmp_path / name).write_bytes(b"no table" * 100)
        with pytest.raises(ImageError, match=rf"{name}' is damaged"):
            list_images([tmp_path / name])
        with pytest.raises(ImageError, match=rf"{name}' is damaged"):
            read_bytes(tmp_path / name / "0")


def test_without_pyarrow_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = write_rows(tmp_path / "a.parquet", AS_BYTES)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ImageError, match=r"a.parquet'.*pip install \"zeroseg\[datasets\]\""):
        list_images([path])
    with pytest.raises(ImageError, match=r"hf:a/train'.*pip install \"zeroseg\[datasets\]\""):
        list_images(["hf:a/train"])


def test_threads_read_one_file_at_the_same_time(tmp_path: Path):
    """Row groups change under each other's hands."""
    path, wrong = write_rows(tmp_path / "a.parquet", AS_BYTES), list[int]()

    def read(first: int) -> None:
        for step in range(200):
            number = (first + 3 * step) % 10
            wrong.extend([] if read_bytes(path / str(number)) == CONTENTS[number] else [number])

    threads = [threading.Thread(target=read, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the library, which must not look for anything on the network."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    datasets.disable_progress_bars()
    return tmp_path


def test_a_folder_is_a_data_set(cache: Path):
    """As `imagefolder`: the rows name the files; as Parquet: the rows have them."""
    picture, folder = gradient(), cache / "photos"
    for name in ("train/dog/a.png", "train/cat/b.png", "test/cat/c.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(stored(picture, "PNG"))
    found = list_images([f"hf:{folder}/train"])
    assert [(path.parent.suffix, path.name) for path in found] == [(".arrow", "0"), (".arrow", "1")]
    assert_close(load_image(found[1]), picture)
    (cache / "rows").mkdir()
    write_rows(cache / "rows/train-00000-of-00001.parquet", {"image": [stored(picture, "PNG")] * 3})
    found = list_images([f"hf:{cache / 'rows'}/train"])
    assert len(found) == 3
    assert_close(load_image(found[2]), picture)


def test_a_data_set_that_is_not_there_is_one_sentence(cache: Path):
    (cache / "empty").mkdir()
    with pytest.raises(ImageError, match=r"empty/train' cannot be loaded .*check the names"):
        files_of_hub_set(f"hf:{cache}/empty/train")
    with pytest.raises(ImageError, match=r"nobody:plain/train' cannot be loaded"):
        files_of_hub_set("hf:nobody:plain/train")
    for text in ("hf:train", "hf:a/train[:10%]", "hf:"):
        with pytest.raises(ImageError, match="does not name a split"):
            list_images([text])
