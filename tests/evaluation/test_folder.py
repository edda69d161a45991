"""Anybody's folder of images and masks, and what the picturebook writes."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from tests.evaluation.miniature import Rows, assert_classes, miou, refused, truths, voc_palette, write_mask, write_photo
from zeroseg.drawing import palette, save_palette_png
from zeroseg.evaluation import confusion_matrix, mean_iou
from zeroseg.evaluation.folder import open_folder
from zeroseg.evaluation.masks import Fit, MaskOptions
from zeroseg.images import UPRIGHT
from zeroseg.picturebook import draw_scene
from zeroseg.picturebook.writing import MASK_NAMES, Masks, write_scenes
from zeroseg.segmentation import Segmentation

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
        ('["caf\\u00e9", "cafe\\u0301"]', "twice"),
        ('["cat", " "]', "without a name"),
        ('{"0": "cat", "00": "dog"}', "neither a list of names nor"),
        ('{"0": "background", "1": "cat", "1": "dog"}', "two names for the number 1:"),
        ('["cat", null]', "neither a list of names nor"),
        ('["cat", "background"]', "'background'"),
        ('{"0": "cat", "65536": "void"}', "number 65536"),
        ('{"-1": "cat"}', "number -1"),
        (json.dumps([str(number) for number in range(4097)]), "4097 classes, more than 4,096"),
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
    (root / "images/sub/b.png").rename(root / "images/a.jpg")
    with refused(root / "images/a.jpg", root / "images/a.png", "same name"):
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
    (problem,) = open_folder(root).check().problems
    assert problem.name == "a"
    assert f"no file {str(root / 'masks/a.png')!r}" in problem.sentence
    (root / "masks/sub/b.png").rename(root / "masks/sub/b.bmp")
    with refused("2 of 2 masks are missing", root, "'a'", "docs/datasets.md"):
        open_folder(root)


def test_an_image_without_a_mask_and_a_mask_without_an_image_are_problems_of_their_own(root: Path):
    before = open_folder(root)
    write_photo(root / "images/c.png")
    write_mask(root / "masks/d.png", MASKS["a"])
    dataset = open_folder(root)
    assert len(dataset) == 4
    problems = dataset.check().problems
    assert [problem.name for problem in problems] == ["c", "d"]
    for problem, missing in zip(problems, ("masks/c.png", "images/d"), strict=True):
        assert problem.sentence == f"There is no file {str(root / missing)!r}; check the path."
    rest = dataset.without({"c", "d"})
    assert truths(rest) == truths(before)
    assert rest.signature() == before.signature()


def test_masks_of_other_images_are_refused(root: Path):
    for name in MASKS:
        (root / f"masks/{name}.png").rename(root / f"masks/{Path(name).name}-mask.png")
    with refused("2 of 2 masks are missing", root, "'a'"):
        open_folder(root)


# --- numbers that are ignored, or not ---------------------------------------------------------------


def test_numbers_to_ignore_are_no_classes_and_take_the_place_of_255(root: Path):
    dataset = open_folder(root, masks=MaskOptions(ignore=(0, 255)))
    assert_classes(dataset, 2, False, c0="black cat", c1="dog")
    assert truths(dataset)["a"] == [[255, 0, 0, 255], [255, 255, 1, 1], [0, 0, 0, 0]]
    with refused(root / "masks/a.png", "number 255"):
        truths(open_folder(root, masks=MaskOptions(ignore=(0,))))
    unnamed = open_folder(root, masks=MaskOptions(ignore=(7, 9, 255)))
    assert_classes(unnamed, 2, True, c1="black cat")
    assert truths(unnamed)["sub/b"] == [[255] * 4, [0] * 4, [255] * 4]


def test_a_number_that_no_mask_can_hold_is_not_ignored():
    for number in (-1, 65_536):
        with refused("0 to 65,535", str(number)):
            MaskOptions(ignore=(number,))


def binary(root: Path, *names: str) -> Path:
    """Masks of 0 and 255, as many tools write one class and the rest."""
    write_names(root, *names)
    write_mask(root / "masks/a.png", [[0, 0, 255, 255]] * 3)
    write_mask(root / "masks/sub/b.png", [[255] * 4] * 3)
    return root


def test_masks_of_0_and_255_have_two_classes_where_nothing_is_ignored(root: Path):
    binary(root, "background", "cat")
    expected = {"a": np.array([[0, 0, 1, 1]] * 3), "sub/b": np.ones((3, 4), int)}
    found = {sample.name: sample.truth for sample in open_folder(root, masks=MaskOptions(ignore=()))}
    for name, rows in expected.items():
        np.testing.assert_array_equal(found[name], rows)
    assert truths(open_folder(root))["a"] == [[0, 0, 255, 255]] * 3  # by itself 255 counts for nothing
    (root / "labels.txt").unlink()
    (root / "labels.json").write_text('{"0": "background", "255": "cat"}')
    named = open_folder(root)
    assert_classes(named, 2, True, c1="cat")
    assert named.check().problems == ()
    assert [sample.truth.max() for sample in named] == [1, 1]


def test_masks_of_only_0_and_255_are_noted_where_255_counts_for_nothing(root: Path):
    binary(root, "background", "cat")
    (note,) = open_folder(root).check().notes
    for word in ("number 1 ('cat')", "255 is ignored", "--ignore none", '{"0": "background", "255": "cat"}'):
        assert word in note
    for numbers in ((), (255,)):  # who says what is ignored needs no note
        assert open_folder(root, masks=MaskOptions(ignore=numbers)).check().notes == ()
    write_mask(root / "masks/sub/b.png", [[255, 255, 1, 255]] * 3)
    assert open_folder(root).check().notes == ()
    for name in MASKS:
        write_mask(root / f"masks/{name}.png", [[0] * 4] * 3)
    assert open_folder(root).check().notes == ()
    binary(root, "background", "cat", "dog")
    assert open_folder(root).check().notes == ()


def test_255_without_a_name_is_no_class_where_there_are_more_than_two(root: Path):
    binary(root, "background", "cat", "dog")
    with refused(root / "masks/a.png", "number 255"):
        truths(open_folder(root, masks=MaskOptions(ignore=())))


@pytest.mark.parametrize("count", [300, 4097])
def test_masks_of_zeroseg_segment_with_more_labels_than_a_byte_has(root: Path, count: int):
    """The largest number of classes is 4,096, beside the background; 255 is one of them here, as it has a name."""
    labels = ("background", *(f"thing {number}" for number in range(1, count)))
    write_names(root, *labels)
    class_map = np.arange(count - 12, count).reshape(3, 4)
    class_map[0, 0] = 255
    save_palette_png(Segmentation(labels, class_map, np.zeros(count), has_background=True), root / "masks/a.png")
    save_palette_png(Segmentation(labels, class_map[::-1], np.zeros(count), True), root / "masks/sub/b.png")
    dataset = open_folder(root)
    assert_classes(dataset, count, True, c255="thing 255")
    (first, second) = dataset
    np.testing.assert_array_equal(first.truth, class_map)
    np.testing.assert_array_equal(second.truth, class_map[::-1])
    confusion = confusion_matrix(first.truth, first.truth, count)
    assert confusion.sum() == 12
    assert confusion[255, 255] == 1
    assert mean_iou(confusion) == 1.0


@pytest.mark.parametrize("orientation", [2, 3, 4])
@pytest.mark.parametrize("fit", [None, "upright", "stored"])
def test_a_photo_that_exif_mirrors_is_measured_right(root: Path, orientation: int, fit: Fit | None):
    """The upright mask by default, which is what `zeroseg segment` writes: mIoU 1, where it was .12."""
    stored = np.zeros((3, 4), np.uint8)
    stored[0], stored[1, 0] = 7, 1
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    Image.fromarray(stored * 36).save(root / "images/a.png", exif=exif)
    upright = np.array(Image.fromarray(stored).transpose(UPRIGHT[orientation]))
    write_mask(root / "masks/a.png", stored if fit == "stored" else upright, COLOURS)
    dataset = open_folder(root, size=1, masks=MaskOptions(fit=fit))
    places = np.select([upright == 7, upright == 1], [2, 1])
    assert miou(dataset, {"a": places.tolist()}) == 1.0
    assert len(dataset.check().notes) == (fit is None)
