"""COCO-Object and COCO-Stuff, which are made of the same PNG maps, 255 where nobody labelled."""

from pathlib import Path

import numpy as np
import pytest

from tests.evaluation.miniature import Rows, assert_classes, miou, refused, truths, write_mask, write_photo
from zeroseg.evaluation.coco_object import open_coco_object
from zeroseg.evaluation.coco_stuff import open_coco_stuff

FIRST, SECOND = "000000000139", "000000000285"
# A map's number is COCO's category less 1: 0 person, 12 stop sign (category 13), 89 toothbrush (90), 91 banner (92),
# 148 road (149), 181 wood (182). COCO has no category 12: number 11 is never used.
MAPS: dict[str, Rows] = {
    FIRST: [[0, 0, 12, 89], [91, 148, 181, 255], [255, 255, 0, 10]],
    SECOND: [[255, 255, 255, 255], [181, 181, 181, 181], [12, 12, 12, 12]],
}
# Categories without an instance: street sign, hat, shoe, eye glasses, plate, mirror, window, desk, door, blender,
# hair brush.
UNUSED = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83, 91}
LAYOUTS = pytest.mark.parametrize(
    ("images", "maps"),
    [("images", "annotations"), ("", "stuffthingmaps"), ("", "annotations"), ("", "")],
    ids=["as its authors unpack it", "beside COCO", "annotations", "all in one"],
)


def write(root: Path, images: str = "", maps: str = "stuffthingmaps", split: str = "val2017") -> Path:
    for name, rows in MAPS.items():
        write_photo(root / images / split / f"{name}.jpg")
        write_mask(root / maps / split / f"{name}.png", rows)
    return root


@LAYOUTS
def test_objects_become_1_to_80_and_all_else_background(tmp_path: Path, images: str, maps: str):
    dataset = open_coco_object(write(tmp_path, images, maps))
    assert dataset.name == "coco-object"
    assert truths(dataset) == {
        FIRST: [[1, 1, 12, 80], [0, 0, 0, 0], [0, 0, 1, 11]],
        SECOND: [[0, 0, 0, 0], [0, 0, 0, 0], [12, 12, 12, 12]],
    }
    assert_classes(dataset, 81, True, c1="person", c11="fire hydrant", c12="stop sign", c40="bottle", c80="toothbrush")


@LAYOUTS
def test_stuff_has_171_classes_and_ignores_255(tmp_path: Path, images: str, maps: str):
    dataset = open_coco_stuff(write(tmp_path, images, maps))
    assert dataset.name == "coco-stuff"
    assert truths(dataset) == {
        FIRST: [[0, 0, 11, 79], [80, 137, 170, 255], [255, 255, 0, 10]],
        SECOND: [[255, 255, 255, 255], [170, 170, 170, 170], [11, 11, 11, 11]],
    }
    assert_classes(dataset, 171, False, c0="person", c79="toothbrush", c80="banner", c137="road", c170="wood")
    assert {"wooden floor", "door", "mirror", "sky"} <= set(dataset.vocabulary.labels)


def test_every_number_that_coco_used_has_its_place(tmp_path: Path):
    used = [category - 1 for category in range(1, 183) if category not in UNUSED]
    write_photo(tmp_path / "val2017/000000000001.jpg", 19, 9)
    rows = [used[k : k + 19] for k in range(0, 171, 19)]
    write_mask(tmp_path / "annotations/val2017/000000000001.png", rows)
    (stuff,) = truths(open_coco_stuff(tmp_path)).values()
    (objects,) = truths(open_coco_object(tmp_path)).values()
    assert np.ravel(stuff).tolist() == list(range(171))
    assert np.ravel(objects).tolist() == [*range(1, 81), *[0] * 91]


def test_miou_by_hand_and_the_trap_of_255(tmp_path: Path):
    """Who says background everywhere. Background is 4 + 2 of the first image and 8 of the second: 14 hits of 24
    pixels, for 255 counts; person 3, stop sign 5, toothbrush and fire hydrant 1 each are missed: 14 / 24 / 5. Were 255
    ignored, it would be 7 / 17 / 5. COCO-Stuff ignores it: wood everywhere is 5 hits of the 17 that count, and six
    classes are missed: 5 / 17 / 7.
    """
    nothing = {name: [[0] * 4] * 3 for name in MAPS}
    assert miou(open_coco_object(write(tmp_path)), nothing) == pytest.approx(14 / 24 / 5)
    wood = {name: [[170] * 4] * 3 for name in MAPS}
    assert miou(open_coco_stuff(tmp_path), wood) == pytest.approx(5 / 17 / 7)


def test_maps_that_converters_left_are_not_taken_for_images(tmp_path: Path):
    write(tmp_path, "images", "annotations")
    for kind in ("labelTrainIds", "instanceTrainIds"):
        write_mask(tmp_path / f"annotations/val2017/{FIRST}_{kind}.png", [[7] * 4] * 3)
    assert list(truths(open_coco_object(tmp_path))) == [FIRST, SECOND]


def test_splits_and_sizes(tmp_path: Path):
    write(tmp_path, split="train2017")
    write_photo(tmp_path / "val2017/000000000724.jpg")
    write_mask(tmp_path / "stuffthingmaps/val2017/000000000724.png", [[0] * 4] * 3)
    assert list(truths(open_coco_stuff(tmp_path))) == ["000000000724"]
    assert list(truths(open_coco_stuff(tmp_path, "train", size=1))) == [FIRST]
    assert list(truths(open_coco_object(tmp_path, "train", size=9))) == [FIRST, SECOND]


def test_a_folder_without_its_parts_is_refused(tmp_path: Path):
    page = "https://github.com/nightrome/cocostuff"
    with refused("coco-stuff: there is no folder", tmp_path / "nowhere", page):
        open_coco_stuff(tmp_path / "nowhere")
    with refused("coco-object", tmp_path / "val2017/*.jpg", tmp_path / "images/val2017/*.jpg", page):
        open_coco_object(tmp_path)
    write_photo(tmp_path / f"val2017/{FIRST}.jpg")
    with refused("coco-stuff", tmp_path / "annotations/val2017/*.png", tmp_path / "stuffthingmaps/val2017", page):
        open_coco_stuff(tmp_path)
    write(tmp_path)
    (tmp_path / f"val2017/{SECOND}.jpg").unlink()
    with refused("1 of 2 images are missing", SECOND, page):
        open_coco_object(tmp_path)
    (tmp_path / f"stuffthingmaps/val2017/{SECOND}.png").unlink()
    assert len(open_coco_object(tmp_path)) == 1
    write_photo(tmp_path / f"val2017/{SECOND}.jpg")
    with refused("1 of 2 masks are missing", SECOND, page):
        open_coco_object(tmp_path)


def test_stuff_refuses_a_number_that_coco_never_used(tmp_path: Path):
    path = write(tmp_path) / f"stuffthingmaps/val2017/{FIRST}.png"
    write_mask(path, [[11] * 4] * 3)
    assert truths(open_coco_object(tmp_path, size=1)) == {FIRST: [[0] * 4] * 3}
    with refused(path, "number 11"):
        truths(open_coco_stuff(tmp_path))
