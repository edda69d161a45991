"""The libraries that own the formats read our files to the same pixels and names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.formats.peer import Picture, interpreter, read_by_peer
from tests.formats.pictures import CASES, CLASSES, NAMES, RING, annotated
from zeroseg.files import write_together
from zeroseg.formats import DATASET_FORMATS, PICTURE_FORMATS, AnnotatedPhoto, Classes

READERS = {
    "coco": "read_coco.py",
    "coco-polygons": "read_coco.py",
    "coco-semantic": "read_coco.py",
    "coco-panoptic": "read_panoptic.py",
    "datumaro": "read_datumaro.py",
    "geojson": "read_geojson.py",
    "geotiff": "read_geotiff.py",
    "label-studio": "read_label_studio.py",
    "cvat": "read_cvat.py",
    "labelme": "read_labelme.py",
    "yolo": "read_yolo.py",
}  # the reader of each format, in tests/formats/peers
SETS: dict[str, tuple[Classes, list[AnnotatedPhoto]]] = {
    **{case: (classes, [annotated(class_map, classes)]) for case, (classes, class_map) in CASES.items()},
    "labels with any letters": (
        Classes.besides_background(NAMES),
        [annotated(np.arange(1 + len(NAMES)).reshape(2, -1), Classes.besides_background(NAMES))],
    ),
    "several pictures": (
        CLASSES,
        [annotated(np.roll(RING, step) * (1 + step % 2), CLASSES, f"a b/{step}.jpg") for step in range(3)],
    ),
}


def named(picture: AnnotatedPhoto) -> np.ndarray:
    """The name of every pixel [H W]."""
    return np.array(picture.segmentation.labels)[picture.segmentation.class_map]


def write(name: str, folder: Path, classes: Classes, pictures: list[AnnotatedPhoto]) -> None:
    """A data set, or the files of a format that has one for each picture, with blank photos in `images/`."""
    if name in DATASET_FORMATS:
        DATASET_FORMATS[name].write(folder, classes, iter(pictures))
        return
    kind = PICTURE_FORMATS[name]
    files = {folder / file: content for file, content in kind.companions(classes).items()}
    for one in pictures:
        files[(folder / kind.folder / one.photo).with_suffix(kind.suffix)] = kind.encode(one)
        photo = folder / "images" / one.photo
        photo.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", one.segmentation.size).save(photo)
    write_together(files)


def assert_same(found: list[Picture], written: list[AnnotatedPhoto]) -> None:
    """Raise `AssertionError` for other pixels; photos are found in any order, by their names without the suffix."""
    by_name = {photo.rpartition(".")[0] or photo: names for photo, names in found}
    assert sorted(by_name) == sorted(one.photo.rpartition(".")[0] for one in written)
    for one in written:
        np.testing.assert_array_equal(by_name[one.photo.rpartition(".")[0]], named(one))


@pytest.mark.parametrize("name", READERS)
def test_peers_see_the_same_pixels(name: str, tmp_path: Path) -> None:
    """All hard pictures in one process of the reader."""
    interpreter()
    folders = {case: tmp_path / "sets" / str(number) for number, case in enumerate(SETS)}
    for case, (classes, pictures) in SETS.items():
        write(name, folders[case], classes, pictures)
    found = read_by_peer(READERS[name], tmp_path / "sets", tmp_path / "read.npz")
    for case, (_, pictures) in SETS.items():
        assert_same(found[folders[case].name], pictures)
