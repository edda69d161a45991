"""PASCAL VOC 2012 in its own layout: palette masks, 255 along the edges."""

from pathlib import Path

import numpy as np
import pytest

from tests.evaluation.miniature import (
    Rows,
    assert_classes,
    miou,
    refused,
    truths,
    voc_palette,
    write_list,
    write_mask,
    write_photo,
)
from zeroseg.evaluation.voc import open_voc

PLANES, PEOPLE = "2007_000033", "2007_000042"
MASKS: dict[str, Rows] = {
    PLANES: [[0, 0, 1, 255], [0, 1, 1, 255], [0, 0, 15, 15]],
    PEOPLE: [[20, 20, 20, 20], [255, 255, 255, 255], [0, 0, 0, 0]],
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    voc = tmp_path / "VOCdevkit" / "VOC2012"
    for name, rows in MASKS.items():
        write_photo(voc / "JPEGImages" / f"{name}.jpg")
        write_mask(voc / "SegmentationClass" / f"{name}.png", rows, voc_palette())
    write_photo(voc / "JPEGImages" / "2007_000027.jpg")  # of the detection task: no mask, in no list
    write_list(voc / "ImageSets/Segmentation/val.txt", [PEOPLE, PLANES])
    write_list(voc / "ImageSets/Segmentation/train.txt", [PLANES])
    return tmp_path


@pytest.mark.parametrize("given", ["", "VOCdevkit", "VOCdevkit/VOC2012"])
def test_class_maps_with_background(root: Path, given: str):
    dataset = open_voc(root / given)
    assert dataset.name == "voc21"
    assert truths(dataset) == MASKS
    assert_classes(dataset, 21, True, c1="aeroplane", c11="diningtable", c15="person", c20="tvmonitor")
    assert dataset.vocabulary.labels[10] == "dining table"
    assert "tv monitor" in dataset.vocabulary.labels


def test_class_maps_without_background(root: Path):
    dataset = open_voc(root, background=False)
    assert dataset.name == "voc20"
    assert truths(dataset) == {
        PLANES: [[255, 255, 0, 255], [255, 0, 0, 255], [255, 255, 14, 14]],
        PEOPLE: [[19, 19, 19, 19], [255, 255, 255, 255], [255, 255, 255, 255]],
    }
    assert_classes(dataset, 20, False, c0="aeroplane", c14="person", c19="tvmonitor")


def test_splits_and_sizes(root: Path):
    assert list(truths(open_voc(root))) == [PEOPLE, PLANES]  # in the order of the list
    assert list(truths(open_voc(root, size=1))) == [PEOPLE]
    assert list(truths(open_voc(root, "train", size=5))) == [PLANES]


def test_miou_by_hand(root: Path):
    """Images PLANES and PEOPLE, hits / union of true and predicted pixels; what is under 255 counts for nothing.

    VOC21: background 4 + 4 hits, union 9 true + 2 predicted elsewhere; aeroplane 2 / (3 + 1); person 1 / 2;
    monitor 4 / 4. VOC20, the same shapes: aeroplane 2 / (3 + 1); person 1 / (2 + 1); monitor 4 / 4.
    """
    with_background = {PLANES: [[0, 0, 1, 7], [0, 0, 1, 7], [0, 1, 15, 0]], PEOPLE: [[20] * 4, [9] * 4, [0] * 4]}
    assert miou(open_voc(root), with_background) == pytest.approx((8 / 11 + 2 / 4 + 1 / 2 + 4 / 4) / 4)
    without = {PLANES: [[3, 3, 0, 3], [3, 14, 0, 3], [3, 3, 14, 0]], PEOPLE: [[19] * 4, [9] * 4, [9] * 4]}
    assert miou(open_voc(root, background=False), without) == pytest.approx((2 / 4 + 1 / 3 + 4 / 4) / 3)


def test_a_folder_without_its_parts_is_refused(root: Path):
    voc, page = root / "VOCdevkit/VOC2012", "http://host.robots.ox.ac.uk/pascal/VOC/voc2012/"
    with refused("voc21: there is no folder", root / "nowhere", page):
        open_voc(root / "nowhere")
    with refused("there is no folder", "VOC2012/JPEGImages", page):
        open_voc(voc / "ImageSets")
    (voc / "ImageSets/Segmentation/val.txt").unlink()
    with refused("there is no file", voc / "ImageSets/Segmentation/val.txt", page):
        open_voc(root)
    write_list(voc / "ImageSets/Segmentation/val.txt", [])
    with refused(voc / "ImageSets/Segmentation/val.txt", "empty", page):
        open_voc(root)
    for mask in (voc / "SegmentationClass").iterdir():
        mask.unlink()
    with refused("voc20", "there is no file", voc / "SegmentationClass/*.png", page):
        open_voc(root, "train", background=False)


def test_a_partial_folder_says_how_much_is_missing(root: Path):
    voc = root / "VOCdevkit/VOC2012"
    (voc / f"JPEGImages/{PLANES}.jpg").unlink()
    with refused("voc21: 1 of 2 images are missing", voc, PLANES):
        open_voc(root, size=1)  # a figure of "the first" would be of other images
    write_photo(voc / f"JPEGImages/{PLANES}.jpg")
    write_list(voc / "ImageSets/Segmentation/val.txt", [PLANES, "2007_000099", PEOPLE, "2007_000098"])
    for name in ("2007_000099", "2007_000098"):
        write_photo(voc / f"JPEGImages/{name}.jpg")
    with refused("voc21: 2 of 4 masks are missing", voc, "'2007_000099'"):
        open_voc(root)


def test_a_mask_that_cannot_be_right_is_named_when_it_is_read(root: Path):
    mask = root / "VOCdevkit/VOC2012/SegmentationClass" / f"{PEOPLE}.png"
    write_mask(mask, [[0, 21, 0, 0]] * 3, voc_palette())
    with refused(mask, "number 21"):
        truths(open_voc(root))
    write_mask(mask, [[0] * 3] * 4)
    with refused(mask, "3 x 4 pixels", f"{PEOPLE}.jpg", "4 x 3"):
        truths(open_voc(root))
    write_mask(mask, np.zeros((3, 4, 3), np.uint8))  # the colours of the palette, as some tools save them
    with refused(mask, "several channels (RGB)"):
        truths(open_voc(root))
    mask.write_bytes(b"no picture")
    with refused(mask, "not a picture"):
        truths(open_voc(root))
