"""Anybody's folder of images and masks, and what the picturebook writes."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.evaluation.miniature import Rows, assert_classes, miou, refused, truths, voc_palette, write_mask, write_photo
from zeroseg.drawing import palette
from zeroseg.evaluation.folder import open_folder
from zeroseg.picturebook import draw_scene
from zeroseg.picturebook.writing import MASK_NAMES, Masks, write_scenes

MASKS: dict[str, Rows] = {"a": [[0, 1, 1, 255], [0, 0, 7, 7], [1, 1, 1, 1]], "sub/b": [[7] * 4, [0] * 4, [255] * 4]}
NAMES = {"7": "dog", "0": "background", "1": "black cat"}
COLOURS = voc_palette()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    for name, rows in MASKS.items():
        write_photo(folder / f"images/{name}.png")
        write_mask(folder / f"masks/{name}.png", rows, COLOURS)
    (folder / "labels.json").write_text(json.dumps(NAMES))
    return folder


def write_names(root: Path, *names: str) -> None:
    (root / "labels.json").unlink(missing_ok=True)
    (root / "labels.txt").write_text("".join(f"{name}\n" for name in names))


def test_numbers_with_names_become_classes_in_their_order(root: Path):
    dataset = open_folder(root)
    assert dataset.name == "folder"
    assert truths(dataset) == {
        "a": [[0, 1, 1, 255], [0, 0, 2, 2], [1, 1, 1, 1]],
        "sub/b": [[2] * 4, [0] * 4, [255] * 4],
    }
    assert_classes(dataset, 3, True, c1="black cat", c2="dog")
    assert list(truths(open_folder(root, size=1))) == ["a"]


def test_without_a_background_all_are_classes(root: Path):
    (root / "labels.json").write_text(json.dumps({**NAMES, "0": "grass"}))
    dataset = open_folder(root)
    assert_classes(dataset, 3, False, c0="grass", c1="black cat", c2="dog")
    assert truths(dataset)["sub/b"] == [[2] * 4, [0] * 4, [255] * 4]


@pytest.mark.parametrize("first", ["background", "Background", "grass"])
def test_names_a_line_each(root: Path, first: str):
    write_names(root, first, "cat", "x", "y", "z", "u", "v", "dog", "")
    dataset = open_folder(root)
    assert_classes(dataset, 8, first != "grass", c1="cat", c7="dog")
    assert truths(dataset)["sub/b"] == [[7] * 4, [0] * 4, [255] * 4]


def test_a_names_file_of_windows_names_its_background(root: Path):
    """Notepad marks UTF-8 with three bytes at the beginning, which are no part of the first name."""
    (root / "labels.json").unlink()
    (root / "labels.txt").write_text("background\ncat\nx\ny\nz\nu\nv\ndog\n", encoding="utf-8-sig")
    assert_classes(open_folder(root), 8, True, c0="background", c7="dog")


def test_names_beside_the_masks_come_first(root: Path):
    (root / "masks/labels.json").write_text(json.dumps({**NAMES, "1": "white cat"}))
    assert open_folder(root).classes == ("background", "white cat", "dog")


def test_grey_and_16_bit_masks_hold_the_same_numbers(root: Path):
    rows = np.array(MASKS["a"], np.uint16)
    expected = truths(open_folder(root, size=1))
    Image.fromarray(rows).save(root / "masks/a.png")
    assert truths(open_folder(root, size=1)) == expected
    write_mask(root / "masks/a.png", MASKS["a"])
    assert truths(open_folder(root, size=1)) == expected


def test_miou_by_hand(root: Path):
    """Cats everywhere: 6 hits of the 11 + 8 pixels that count; background and dog are missed."""
    assert miou(open_folder(root), {name: [[1] * 4] * 3 for name in MASKS}) == pytest.approx(6 / 19 / 3)


def test_what_the_picturebook_writes_is_read_as_it_is(tmp_path: Path):
    images, masks = tmp_path / "scenes", tmp_path / "scenes-masks"
    write_scenes(images, "validation", range(2), masks=Masks(masks, palette(len(MASK_NAMES))), captions=True)
    dataset = open_folder(images)
    assert dataset.classes == MASK_NAMES
    assert dataset.has_background
    for number, sample in enumerate(dataset):
        scene = draw_scene("validation", number)
        assert sample.name == f"validation-{number:06d}"
        np.testing.assert_array_equal(np.asarray(sample.image), np.asarray(scene.image))
        np.testing.assert_array_equal(sample.truth, scene.class_map(MASK_NAMES, missing=0))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{broken", "neither a list of names nor"),
        ("3", "neither a list of names nor"),
        ('{"cat": 0}', "neither a list of names nor"),
        ("[]", "names no class"),
        ('["background"]', "names no class"),
        ('["cat", "dog", "Cat "]', "'Cat' twice"),
        ('["cat", " "]', "without a name"),
        ('{"0": "cat", "00": "dog"}', "neither a list of names nor"),
        ('["cat", null]', "neither a list of names nor"),
        ('["cat", "background"]', "'background'"),
        ('{"0": "cat", "255": "void"}', "number 255"),
        ('{"-1": "cat"}', "number -1"),
        (json.dumps([str(number) for number in range(255)]), "255 classes"),
    ],
)
def test_names_that_make_no_sense_are_refused(root: Path, text: str, said: str):
    (root / "labels.json").write_text(text)
    with refused(root / "labels.json", said):
        open_folder(root)


def test_a_folder_without_its_parts_is_refused(root: Path, tmp_path: Path):
    (root / "labels.json").unlink()
    with refused("names the classes", root / "masks/labels.json", "docs/datasets.md"):
        open_folder(root)
    write_names(root, "grass", "cat")
    with refused(root / "masks/a.png", "number 7"):
        truths(open_folder(root))
    (root / "masks/sub/b.png").unlink()
    with refused("1 of 2 masks are missing", "'sub/b'"):
        open_folder(root)
    (root / "images/sub/b.png").rename(root / "images/a.jpg")
    with refused(root / "images/a.jpg", root / "images/a.png", "one name"):
        open_folder(root)
    for path in (root / "images").glob("a.*"):
        path.unlink()
    with refused("No picture", root / "images"):
        open_folder(root)
    with refused("folder: there is no folder", root / "images/masks", "docs/datasets.md"):
        open_folder(root / "images")
    with refused("folder: there is no folder", tmp_path / "nowhere"):
        open_folder(tmp_path / "nowhere")


def test_masks_are_pngs(root: Path):
    (root / "masks/a.png").rename(root / "masks/a.bmp")
    with refused("1 of 2 masks are missing", "'a'"):
        open_folder(root)


def test_an_image_without_a_mask_and_a_mask_without_an_image(root: Path):
    write_photo(root / "images/c.png")
    with refused("1 of 3 masks are missing", "'c'"):
        open_folder(root)
    (root / "images/c.png").unlink()
    write_mask(root / "masks/d.png", MASKS["a"])
    with refused("1 of 3 images are missing", "'d'"):
        open_folder(root)
