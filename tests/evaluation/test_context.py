"""PASCAL Context: the official label maps of MATLAB, and PNGs as the usual converter makes them."""

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from tests.evaluation.miniature import Rows, assert_classes, miou, refused, truths, write_list, write_mask, write_photo
from zeroseg.evaluation.context import open_context
from zeroseg.vocabulary import BACKGROUND_WORDS

DOG, STREET, OTHER = "2008_000015", "2008_000107", "2009_000001"
# Numbers of the official labels.txt: 2 aeroplane, 113 dog, 397 table, 415 track, 416 train, 458 wood;
# 1 accordion, 431 unknown and 459 wool are none of the 59.
LABEL_MAPS: dict[str, Rows] = {
    DOG: [[2, 2, 113, 113], [1, 431, 459, 0], [397, 415, 416, 458]],
    STREET: [[424, 424, 424, 424], [355, 9, 18, 19], [44, 44, 44, 431]],  # truck; sign, bag, bed, bedclothes; building
}
# The same in the order of the alphabet: aeroplane 1, dog 23, table 50, track 51, train 52, wood 59; truck 54, sign 46.
CONVERTED: dict[str, Rows] = {
    DOG: [[1, 1, 23, 23], [0, 0, 0, 0], [50, 51, 52, 59]],
    STREET: [[54, 54, 54, 54], [46, 2, 3, 4], [11, 11, 11, 0]],
}
IGNORING: dict[str, Rows] = {
    name: [[255 if number == 0 else number - 1 for number in row] for row in rows] for name, rows in CONVERTED.items()
}


@pytest.fixture
def devkit(tmp_path: Path) -> Path:
    """VOC 2010 with its own lists: train and val of the official split."""
    voc = tmp_path / "VOCdevkit/VOC2010"
    for name in (DOG, STREET, OTHER):
        write_photo(voc / f"JPEGImages/{name}.jpg")
    write_list(voc / "ImageSets/Main/val.txt", [DOG, STREET])
    write_list(voc / "ImageSets/Main/train.txt", [OTHER])
    return voc


def write_label_maps(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name, rows in LABEL_MAPS.items():
        savemat(folder / f"{name}.mat", {"LabelMap": np.array(rows, np.uint16)})


@pytest.fixture
def official(devkit: Path) -> Path:
    """trainval.tar.gz beside VOCdevkit."""
    root = devkit.parents[1]
    write_label_maps(root / "trainval")
    return root


@pytest.fixture
def converted(devkit: Path) -> Path:
    """The converter's masks and lists; the one of val is an image shorter than VOC's."""
    for name, rows in CONVERTED.items():
        write_mask(devkit / f"SegmentationClassContext/{name}.png", rows)
    write_list(devkit / "ImageSets/SegmentationContext/val.txt", [DOG])
    return devkit.parents[1]


def test_official_label_maps(official: Path):
    dataset = open_context(official)
    assert dataset.name == "context60"
    assert truths(dataset) == CONVERTED
    assert_classes(dataset, 60, True, c1="aeroplane", c4="bedclothes", c23="dog", c40="pottedplant", c59="wood")
    assert "potted plant" in dataset.vocabulary.labels
    assert not {"sky", "grass"} & set(dataset.vocabulary.background_words(BACKGROUND_WORDS))  # they are classes


def test_official_label_maps_without_background(official: Path):
    dataset = open_context(official, background=False)
    assert dataset.name == "context59"
    assert truths(dataset) == IGNORING
    assert_classes(dataset, 59, False, c0="aeroplane", c22="dog", c58="wood")


@pytest.mark.parametrize("given", ["", "VOCdevkit", "VOCdevkit/VOC2010"])
def test_converted_masks_and_the_converters_list(converted: Path, given: str):
    assert truths(open_context(converted / given)) == {DOG: CONVERTED[DOG]}
    assert truths(open_context(converted / given, background=False)) == {DOG: IGNORING[DOG]}


def test_label_maps_within_the_devkit_and_the_shorter_list_where_there_is_one(devkit: Path):
    write_label_maps(devkit / "trainval")
    assert list(truths(open_context(devkit))) == [DOG, STREET]
    write_list(devkit / "ImageSets/SegmentationContext/val.txt", [STREET])
    assert list(truths(open_context(devkit))) == [STREET]


def test_miou_by_hand(converted: Path):
    """All said to be an aeroplane, but the dog. Context60: aeroplane 2 hits, union 10; dog 2 / 2; background, table,
    track, train, wood 0: (2 / 10 + 1) / 7. Context59: the four pixels of nothing are not in aeroplane's union, and
    there is no background: (2 / 6 + 1) / 6.
    """
    said = [[1, 1, 23, 23], [1, 1, 1, 1], [1, 1, 1, 1]]
    assert miou(open_context(converted), {DOG: said}) == pytest.approx((2 / 10 + 1) / 7)
    without = [[number - 1 for number in row] for row in said]
    assert miou(open_context(converted, background=False), {DOG: without}) == pytest.approx((2 / 6 + 1) / 6)


def test_a_folder_without_its_parts_is_refused(devkit: Path, tmp_path: Path):
    page = "https://cs.stanford.edu/~roozbeh/pascal-context/"
    with refused("there is no folder", devkit / "SegmentationClassContext", devkit / "trainval", page):
        open_context(tmp_path)
    write_label_maps(devkit / "trainval")
    with refused("1 of 1 masks are missing", OTHER, page):
        open_context(tmp_path, "train")
    for path in (devkit / "ImageSets/Main").iterdir():
        path.unlink()
    with refused("there is no file", devkit / "ImageSets/Main/val.txt", page):
        open_context(tmp_path)
    with refused("context59", "VOC2010/JPEGImages", page):
        open_context(tmp_path / "VOCdevkit/VOC2010/ImageSets", background=False)


def test_a_label_map_that_cannot_be_right_is_named(official: Path):
    path = official / f"trainval/{DOG}.mat"
    savemat(path, {"LabelMap": np.full((3, 4), 460, np.uint16)})
    with refused(path, "number 460"):
        truths(open_context(official))
    savemat(path, {"Labels": np.zeros((3, 4), np.uint16)})
    with refused(path, "no label map"):
        truths(open_context(official))
    path.write_bytes(b"MATLAB, but not much of it")
    with refused(path, "no label map"):
        truths(open_context(official))


def test_without_scipy_one_sentence_names_it(official: Path, converted: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    assert len(open_context(converted)) == 1  # PNGs need none
    for mask in (converted / "VOCdevkit/VOC2010/SegmentationClassContext").iterdir():
        mask.unlink()
    (converted / "VOCdevkit/VOC2010/SegmentationClassContext").rmdir()
    with refused("pip install scipy"):
        open_context(official)
