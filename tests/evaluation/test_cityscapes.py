"""Cityscapes: train ids where its scripts have made them, else the label ids of the download."""

from pathlib import Path

import pytest

from tests.evaluation.miniature import Rows, assert_classes, miou, refused, truths, write_mask, write_photo
from zeroseg.evaluation.cityscapes import open_cityscapes

FIRST, SECOND = "frankfurt_000000_000294_", "munster_000000_000019_"
LABELS = {  # of the official table, those that are evaluated
    "road": 7, "sidewalk": 8, "building": 11, "wall": 12, "fence": 13, "pole": 17, "traffic light": 19,
    "traffic sign": 20, "vegetation": 21, "terrain": 22, "sky": 23, "person": 24, "rider": 25, "car": 26, "truck": 27,
    "bus": 28, "train": 31, "motorcycle": 32, "bicycle": 33,
}  # fmt: skip
LABEL_IDS: dict[str, Rows] = {
    FIRST: [[7, 7, 8, 3], [26, 33, 0, 29], [31, 4, 23, 6]],  # 3 out of roi, 29 caravan, 4 static, 6 ground: ignored
    SECOND: [[24, 25, 24, 25], [1, 1, 1, 1], [11, 11, 11, 11]],
}
TRAIN_IDS: dict[str, Rows] = {
    FIRST: [[0, 0, 1, 255], [13, 18, 255, 255], [16, 255, 10, 255]],
    SECOND: [[11, 12, 11, 12], [255, 255, 255, 255], [2, 2, 2, 2]],
}


def write(root: Path, kind: str, maps: dict[str, Rows], split: str = "val") -> Path:
    for name, rows in maps.items():
        city = name.partition("_")[0]
        write_photo(root / f"leftImg8bit/{split}/{city}/{name}leftImg8bit.png")
        write_mask(root / f"gtFine/{split}/{city}/{name}gtFine_{kind}.png", rows)
    return root


def named(maps: dict[str, Rows]) -> dict[str, Rows]:
    return {name.rstrip("_"): rows for name, rows in maps.items()}


def test_train_ids_are_the_classes(tmp_path: Path):
    write(tmp_path, "labelIds", {name: [[0] * 4] * 3 for name in LABEL_IDS})  # they lie beside, and do not count
    dataset = open_cityscapes(write(tmp_path, "labelTrainIds", TRAIN_IDS))
    assert dataset.name == "cityscapes"
    assert truths(dataset) == named(TRAIN_IDS)
    assert_classes(dataset, 19, False, **{f"c{k}": name for k, name in enumerate(LABELS)})


def test_label_ids_are_numbered_as_the_scripts_do_it(tmp_path: Path):
    assert truths(open_cityscapes(write(tmp_path, "labelIds", LABEL_IDS))) == named(TRAIN_IDS)


def test_every_label_id_has_its_place(tmp_path: Path):
    write_photo(tmp_path / "leftImg8bit/val/ulm/ulm_leftImg8bit.png", 17, 2)
    rows = [list(range(17)), list(range(17, 34))]
    write_mask(tmp_path / "gtFine/val/ulm/ulm_gtFine_labelIds.png", rows)
    dataset = open_cityscapes(tmp_path)
    (truth,) = truths(dataset).values()
    classes = [*truth[0], *truth[1]]
    assert {dataset.classes[k]: label for label, k in enumerate(classes) if k != 255} == LABELS


def test_splits_and_sizes(tmp_path: Path):
    write(tmp_path, "labelIds", LABEL_IDS)
    write(tmp_path, "labelIds", {"ulm_000000_000019_": LABEL_IDS[FIRST]}, "train")
    assert list(truths(open_cityscapes(tmp_path, size=1))) == [FIRST.rstrip("_")]
    assert list(truths(open_cityscapes(tmp_path, "train"))) == ["ulm_000000_000019"]


def test_miou_by_hand(tmp_path: Path):
    """Road everywhere: 2 hits of the 15 pixels that count; sidewalk, car, bicycle, train, sky, person, rider and
    building are missed: 2 / 15 / 9.
    """
    dataset = open_cityscapes(write(tmp_path, "labelIds", LABEL_IDS))
    assert miou(dataset, {name: [[0] * 4] * 3 for name in named(TRAIN_IDS)}) == pytest.approx(2 / 15 / 9)


def test_a_folder_without_its_parts_is_refused(tmp_path: Path):
    page = "https://www.cityscapes-dataset.com/"
    with refused("cityscapes", tmp_path / "leftImg8bit", page):
        open_cityscapes(tmp_path)
    write_photo(tmp_path / f"leftImg8bit/val/frankfurt/{FIRST}leftImg8bit.png")
    with refused("there is no file", tmp_path / "gtFine/val/*/*_gtFine_labelIds.png", page):
        open_cityscapes(tmp_path)
    write(tmp_path, "labelIds", LABEL_IDS)
    write_mask(tmp_path / f"gtFine/val/munster/{SECOND}gtFine_labelTrainIds.png", TRAIN_IDS[SECOND])
    with refused("1 of 2 masks are missing", FIRST.rstrip("_"), page):  # the scripts stopped half-way
        open_cityscapes(tmp_path)
    mask = tmp_path / f"gtFine/val/frankfurt/{FIRST}gtFine_labelTrainIds.png"
    write_mask(mask, LABEL_IDS[FIRST])
    with refused(mask, "number 23"):
        truths(open_cityscapes(tmp_path))
