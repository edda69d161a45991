"""ADE20K: 150 classes from 1, and 0 that counts for nothing."""

from pathlib import Path

import pytest

from tests.evaluation.miniature import Rows, assert_classes, miou, refused, truths, write_mask, write_photo
from zeroseg.evaluation.ade20k import open_ade20k

ROOM, STREET = "ADE_val_00000001", "ADE_val_00000002"
MASKS: dict[str, Rows] = {
    ROOM: [[1, 1, 4, 4], [0, 0, 90, 90], [1, 150, 4, 13]],
    STREET: [[3, 3, 3, 3], [0, 0, 0, 0], [7, 7, 7, 7]],
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    ade = tmp_path / "ADEChallengeData2016"
    for name, rows in MASKS.items():
        write_photo(ade / f"images/validation/{name}.jpg")
        write_mask(ade / f"annotations/validation/{name}.png", rows)
    write_photo(ade / "images/training/ADE_train_00000001.jpg")
    write_mask(ade / "annotations/training/ADE_train_00000001.png", [[5] * 4] * 3)
    return tmp_path


@pytest.mark.parametrize("given", ["", "ADEChallengeData2016"])
def test_class_maps(root: Path, given: str):
    dataset = open_ade20k(root / given)
    assert dataset.name == "ade20k"
    assert truths(dataset) == {
        ROOM: [[0, 0, 3, 3], [255, 255, 89, 89], [0, 149, 3, 12]],
        STREET: [[2, 2, 2, 2], [255, 255, 255, 255], [6, 6, 6, 6]],
    }
    assert_classes(dataset, 150, False, c0="wall", c3="floor", c12="person", c89="television receiver", c149="flag")


def test_splits_and_sizes(root: Path):
    assert list(truths(open_ade20k(root, size=1))) == [ROOM]
    assert truths(open_ade20k(root, "train")) == {"ADE_train_00000001": [[4] * 4] * 3}


def test_miou_by_hand(root: Path):
    """Wall everywhere in the room, right in the street: wall 3 hits of the 10 that count; floor, television, flag,
    person missed; sky and road 4 / 4.
    """
    said = {ROOM: [[0] * 4] * 3, STREET: [[2] * 4, [0] * 4, [6] * 4]}
    assert miou(open_ade20k(root), said) == pytest.approx((3 / 10 + 1 + 1) / 7)


def test_a_folder_without_its_parts_is_refused(root: Path):
    ade, page = root / "ADEChallengeData2016", "http://sceneparsing.csail.mit.edu/"
    with refused("ade20k", "ADEChallengeData2016/images", page):
        open_ade20k(ade / "annotations")
    (ade / f"annotations/validation/{STREET}.png").unlink()
    with refused("1 of 2 masks are missing", ade, STREET, page):
        open_ade20k(root, size=1)
    (ade / f"annotations/validation/{ROOM}.png").unlink()
    with refused("there is no file", ade / "annotations/validation/*.png", page):
        open_ade20k(root)
    write_mask(ade / f"annotations/validation/{ROOM}.png", [[151] * 4] * 3)
    (ade / f"images/validation/{STREET}.jpg").unlink()
    with refused(ade / f"annotations/validation/{ROOM}.png", "number 151"):
        truths(open_ade20k(root))
