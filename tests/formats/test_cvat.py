"""CVAT's zip: names and labels that its lists cannot hold, many objects, other exports, and what is refused."""

from __future__ import annotations

import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.formats.pictures import CLASSES, RING, annotated
from zeroseg.errors import DatasetError
from zeroseg.formats import DATASET_FORMATS, Classes

KIND = DATASET_FORMATS["cvat"]
LIST = "ImageSets/Segmentation/default.txt"


def contents(folder: Path) -> dict[str, bytes]:
    """The files in the zip."""
    with zipfile.ZipFile(folder / "cvat.zip") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_layout(tmp_path: Path) -> None:
    """As CVAT's manual has it; the background is black and comes first."""
    KIND.write(tmp_path, CLASSES, [annotated(RING, CLASSES, "holiday/dog.jpg")])
    found = contents(tmp_path)
    assert found.pop("labelmap.txt").decode().splitlines()[1:] == [
        "background:0,0,0::",
        "dog:128,0,0::",
        "cat:0,128,0::",
    ]
    assert found.pop(LIST) == b"holiday/dog\n"
    assert set(found) == {"SegmentationClass/holiday/dog.png", "SegmentationObject/holiday/dog.png"}
    objects = np.array(Image.open(BytesIO(found["SegmentationObject/holiday/dog.png"])))
    assert np.unique(objects.reshape(-1, 3), axis=0).tolist() == [[0, 0, 0], [0, 128, 0], [128, 0, 0]]


def test_photos_of_which_only_the_suffix_differs(tmp_path: Path) -> None:
    """Each has its own mask, and all names come back; also those that a list cannot hold."""
    photos = ["a/b.jpg", "a/b.png", "a/B.jpeg", "#1.jpg", " x .jpg", "two\nlines.jpg", "no suffix", "100%41.jpg"]
    KIND.write(tmp_path, CLASSES, [annotated(np.full((1, 1), n % 3), CLASSES, name) for n, name in enumerate(photos)])
    listed = contents(tmp_path)[LIST].decode().splitlines()
    assert listed[:3] == ["a/b", "a/b.png", "a/B.jpeg"]
    assert len(listed) == len(photos)
    read = list(KIND.read(tmp_path))
    assert [one.photo for one in read] == photos
    assert [one.segmentation.class_map.item() for one in read] == [n % 3 for n in range(len(photos))]


def test_labels_that_a_line_cannot_hold(tmp_path: Path) -> None:
    """They come back in their own spelling."""
    labels = ("a:b", "#c", " d ", "e\nf\r", "g%3Ah", "100%", "%25", "salt, pepper", "background")
    classes = Classes(labels)
    KIND.write(tmp_path, classes, [annotated(np.arange(len(labels))[None], classes)])
    lines = contents(tmp_path)["labelmap.txt"].decode().splitlines()[1:]
    assert [line.count(":") for line in lines] == [3] * len(labels)
    (read,) = KIND.read(tmp_path)
    assert (read.segmentation.labels, read.segmentation.has_background) == (labels, False)
    assert read.segmentation.class_map.tolist() == [list(range(len(labels)))]


def test_many_objects(tmp_path: Path) -> None:
    """More than 255 areas: an object for each label; more than 255 labels: classes alone."""
    dots = np.zeros((40, 40), int)
    dots[::2, ::2], dots[0, 0] = 1, 2
    KIND.write(tmp_path / "dots", CLASSES, [annotated(dots, CLASSES, "a.jpg")])
    objects = np.array(Image.open(BytesIO(contents(tmp_path / "dots")["SegmentationObject/a.png"])))
    assert len(np.unique(objects.reshape(-1, 3), axis=0)) == 3
    many = Classes(tuple(f"label {number}" for number in range(256)))
    KIND.write(tmp_path / "many", many, [annotated(np.arange(256)[None], many, "a.jpg")])
    assert set(contents(tmp_path / "many")) == {"labelmap.txt", LIST, "SegmentationClass/a.png"}


def write_zip(folder: Path, files: dict[str, bytes | str]) -> None:
    """A zip of another tool."""
    with zipfile.ZipFile(folder / "cvat.zip", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def png(colours: list[list[tuple[int, int, int]]]) -> bytes:
    """A picture with these colours."""
    buffer = BytesIO()
    Image.fromarray(np.array(colours, np.uint8)).save(buffer, format="PNG")
    return buffer.getvalue()


GOOD: dict[str, bytes | str] = {
    "labelmap.txt": "# label:color_rgb:parts:actions\ncat:250,50,83::\nbackground:0,0,0::\n",
    "ImageSets/Segmentation/train.txt": "frame_000000\n",
    "SegmentationClass/frame_000000.png": png([[(0, 0, 0), (250, 50, 83)]]),
}


def test_exports_of_cvat_are_read(tmp_path: Path) -> None:
    """Labels in any order; other names of lists; no suffixes."""
    write_zip(tmp_path, GOOD)
    (read,) = KIND.read(tmp_path)
    assert (read.photo, read.segmentation.labels) == ("frame_000000", ("background", "cat"))
    assert read.segmentation.class_map.tolist() == [[0, 1]]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"labelmap.txt": "cat\n"}, "no label with a colour|invalid literal"),
        ({"labelmap.txt": "cat:1,2::\n"}, "no label with a colour"),
        ({"labelmap.txt": "cat:1,2,300::\n"}, "no label with a colour"),
        ({"labelmap.txt": "cat:1,2,3::\ndog:1,2,3::\n"}, "a colour of its own"),
        ({"labelmap.txt": "cat:1,2,3::\ncat:1,2,4::\n"}, "a colour of its own"),
        ({"labelmap.txt": ""}, "a colour of its own"),
        ({"labelmap.txt": b"\xff"}, "decode"),
        ({"ImageSets/Segmentation/train.txt": "another\n"}, "another.png"),
        ({"SegmentationClass/frame_000000.png": png([[(1, 2, 3)]])}, "1,2,3, which is not declared"),
        ({"SegmentationClass/frame_000000.png": b"GIF89a"}, "the mask of 'frame_000000'"),
    ],
)
def test_malformed_zips_are_refused(changes: dict[str, bytes | str], words: str, tmp_path: Path) -> None:
    """One sentence with the file's name."""
    write_zip(tmp_path, GOOD | changes)
    with pytest.raises(DatasetError, match=rf"cvat.zip' cannot be read as masks of CVAT .*({words})"):
        list(KIND.read(tmp_path))


@pytest.mark.parametrize("content", [b"", b"PK", b"no zip at all"])
def test_what_is_no_zip_is_refused(content: bytes, tmp_path: Path) -> None:
    """Also a file that is missing."""
    with pytest.raises(DatasetError, match="cannot be read as masks of CVAT"):
        list(KIND.read(tmp_path))
    (tmp_path / "cvat.zip").write_bytes(content)
    with pytest.raises(DatasetError, match="cannot be read as masks of CVAT"):
        list(KIND.read(tmp_path))


def test_a_zip_without_lists_is_refused(tmp_path: Path) -> None:
    """It may be of another format."""
    write_zip(tmp_path, {"labelmap.txt": "cat:1,2,3::\n"})
    with pytest.raises(DatasetError, match="there is no list of pictures"):
        list(KIND.read(tmp_path))


def test_a_run_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """Completely or not at all."""

    def pictures():
        yield annotated(RING, CLASSES)
        raise RuntimeError("interrupted")

    with pytest.raises(RuntimeError, match="interrupted"):
        KIND.write(tmp_path, CLASSES, pictures())
    assert not list(tmp_path.iterdir())
