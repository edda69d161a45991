"""The libraries that own the formats read our files to the same pixels and names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.formats.peer import Picture, interpreter, read_by_peer
from tests.formats.pictures import CASES, CLASSES, RING, annotated
from zeroseg.formats import DATASET_FORMATS, AnnotatedPhoto, Classes

READERS = {
    "coco": "read_coco.py",
    "coco-polygons": "read_coco.py",
    "label-studio": "read_label_studio.py",
}  # the reader of each format, in tests/formats/peers
SETS: dict[str, tuple[Classes, list[AnnotatedPhoto]]] = {
    **{case: (classes, [annotated(class_map, classes)]) for case, (classes, class_map) in CASES.items()},
    "several pictures": (
        CLASSES,
        [annotated(np.roll(RING, step) * (1 + step % 2), CLASSES, f"a b/{step}.jpg") for step in range(3)],
    ),
}


def named(picture: AnnotatedPhoto) -> np.ndarray:
    """The name of every pixel [H W]."""
    return np.array(picture.segmentation.labels)[picture.segmentation.class_map]


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
        DATASET_FORMATS[name].write(folders[case], classes, iter(pictures))
    found = read_by_peer(READERS[name], tmp_path / "sets", tmp_path / "read.npz")
    for case, (_, pictures) in SETS.items():
        assert_same(found[folders[case].name], pictures)
