"""Images and truths on disk: what EXIF turns or mirrors, what is checked before, what is left out."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

from tests.evaluation.miniature import refused, write_mask, write_photo
from zeroseg.errors import DatasetError, ImageError
from zeroseg.evaluation import Dataset, confusion_matrix, mean_iou
from zeroseg.evaluation.class_names import ClassNames
from zeroseg.evaluation.dataset import CheckableDataset, Findings
from zeroseg.evaluation.labelled_images import LabelledImages, masked_items
from zeroseg.evaluation.masks import Fit, Numbering
from zeroseg.evaluation.picturebook import PicturebookDataset
from zeroseg.images import UPRIGHT
from zeroseg.segmentation import IGNORE

NAMES = ClassNames(("dark", "light"), ("dark thing", "light thing"))
PLAIN = Numbering({0: 0, 1: 1, 255: IGNORE})
ORIENTATIONS = [None, 1, *UPRIGHT]
# An image that shows its own truth: light in one corner and along one edge, 6 x 4 pixels, or square.
TRUTH = np.zeros((4, 6), np.uint8)
TRUTH[0, :] = TRUTH[1, 0] = 1
SQUARE = TRUTH[:, :4].copy()


def exif(orientation: int | None) -> Image.Exif:
    block = Image.Exif()
    if orientation is not None:
        block[ExifTags.Base.Orientation] = orientation
    return block


def upright(stored: np.ndarray, orientation: int | None) -> np.ndarray:
    turn = UPRIGHT.get(orientation or 1)
    return stored if turn is None else np.array(Image.fromarray(stored).transpose(turn))


def dataset(
    folder: Path,
    orientation: int | None,
    mask: np.ndarray,
    fit: Fit | None = "stored",
    shown: np.ndarray = TRUTH,
    **mask_options: Any,
) -> LabelledImages:
    Image.fromarray(shown * 255).save(folder / "image.png", exif=exif(orientation))
    Image.fromarray(mask).save(folder / "mask.png", **mask_options)
    items = masked_items([("one", folder / "image.png", folder / "mask.png")], PLAIN)
    return LabelledImages("shown", NAMES, False, items, fit)


def miou(found: LabelledImages) -> float:
    """Of a segmenter that sees what is light."""
    return mean_iou(
        sum(
            (
                confusion_matrix(sample.truth, (np.asarray(sample.image)[:, :, 0] // 255).astype(np.uint16), 2)
                for sample in found
            ),
            np.zeros((2, 2), int),
        )
    )


@pytest.mark.parametrize("shown", [TRUTH, SQUARE], ids=["oblong", "square"])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_masks_of_the_stored_pixels_where_that_is_said(tmp_path: Path, orientation: int | None, shown: np.ndarray):
    """Benchmarks say so by themselves, somebody with --masks stored."""
    found = dataset(tmp_path, orientation, shown, "stored", shown)
    assert miou(found) == 1.0
    assert found.check() == Findings()


@pytest.mark.parametrize("fit", [None, "upright"])
@pytest.mark.parametrize("shown", [TRUTH, SQUARE], ids=["oblong", "square"])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_masks_of_the_upright_picture_by_default_or_where_that_is_said(
    tmp_path: Path, orientation: int | None, shown: np.ndarray, fit: Fit | None
):
    """What annotation tools and `zeroseg segment` write; where the size does not tell, the images are counted."""
    found = dataset(tmp_path, orientation, upright(shown, orientation), fit, shown)
    assert miou(found) == 1.0
    open_to_guess = orientation in ((2, 3, 4) if shown is TRUTH else tuple(UPRIGHT))
    notes = found.check().notes
    if fit is None and open_to_guess:
        (note,) = notes
        assert note.startswith("1 image is rotated or flipped by EXIF")
        assert "--masks stored" in note
    else:
        assert notes == ()


@pytest.mark.parametrize("fit", [None, "upright", "stored"])
@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_the_size_tells_of_quarter_turns_whatever_is_said(tmp_path: Path, orientation: int, fit: Fit | None):
    assert miou(dataset(tmp_path, orientation, TRUTH, fit)) == 1.0
    assert miou(dataset(tmp_path, orientation, upright(TRUTH, orientation), fit)) == 1.0


@pytest.mark.parametrize("shown", [TRUTH, SQUARE], ids=["oblong", "square"])
@pytest.mark.parametrize("orientation", list(UPRIGHT))
def test_a_mask_with_exif_of_its_own_is_shown_upright_like_its_image(
    tmp_path: Path, orientation: int, shown: np.ndarray
):
    """Tools that copy the photo's EXIF into the mask leave both as they are stored."""
    found = dataset(tmp_path, orientation, shown, None, shown, exif=exif(orientation))
    assert miou(found) == 1.0
    assert found.check() == Findings()
    said = dataset(tmp_path, orientation, upright(shown, orientation), "upright", shown, exif=exif(orientation))
    assert miou(said) == 1.0  # the user knows better than the block


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_exif_that_was_copied_into_an_upright_mask_is_told_by_the_size(tmp_path: Path, orientation: int):
    assert miou(dataset(tmp_path, orientation, upright(TRUTH, orientation), None, exif=exif(orientation))) == 1.0


def test_a_mask_that_fits_neither_is_refused(tmp_path: Path):
    found = dataset(tmp_path, 6, np.zeros((5, 5), np.uint8))
    with refused(tmp_path / "mask.png", "5 x 5 pixels", tmp_path / "image.png", "4 x 6"):
        list(found)


def test_class_ids_beyond_a_byte_are_turned_whole(tmp_path: Path):
    Image.fromarray(TRUTH * 255).save(tmp_path / "image.png", exif=exif(3))
    Image.fromarray(TRUTH * np.uint16(300)).save(tmp_path / "mask.png")
    items = masked_items([("one", tmp_path / "image.png", tmp_path / "mask.png")], Numbering({0: 0, 300: 300}))
    (sample,) = LabelledImages("shown", NAMES, False, items, "stored")
    np.testing.assert_array_equal(sample.truth, TRUTH[::-1, ::-1] * np.uint16(300))


def test_it_is_a_data_set_and_reads_nothing_before_it_is_asked(tmp_path: Path):
    shown = dataset(tmp_path, None, TRUTH)
    assert isinstance(shown, Dataset)
    assert isinstance(shown, CheckableDataset)
    assert shown.classes == ("dark", "light")
    assert shown.vocabulary.labels == ("dark thing", "light thing")
    (tmp_path / "image.png").unlink()
    assert len(shown) == 1


def test_other_numbers_are_refused_or_have_a_class():
    numbers = np.array([[0, 1], [9, 70_000]])
    with refused("mask.png", "number 9"):
        PLAIN.class_map(numbers, Path("mask.png"))
    assert Numbering({1: 3}, others=5).class_map(numbers, Path("mask.png")).tolist() == [[5, 3], [5, 5]]


# --- checking ---------------------------------------------------------------------------------------

BAD = {"cut": "truncated", "empty": "0 bytes", "foreign": "number 9", "large": "2 x 2", "no-mask": "no-mask.png"}


@pytest.fixture
def mixed(tmp_path: Path) -> LabelledImages:
    """40 images, of which five cannot be measured, each for a reason of its own."""
    names = sorted([*BAD, *(f"good{number:02d}" for number in range(35))])
    triples = [(name, tmp_path / f"{name}.png", tmp_path / f"masks/{name}.png") for name in names]
    for _, image, mask in triples:
        write_photo(image)
        write_mask(mask, [[0, 1, 1, 255]] * 3)
    cut = tmp_path / "cut.png"
    cut.write_bytes(cut.read_bytes()[:-30])
    (tmp_path / "masks/empty.png").write_bytes(b"")
    write_mask(tmp_path / "masks/foreign.png", [[0, 9, 1, 255]] * 3)
    write_mask(tmp_path / "masks/large.png", [[0, 0], [1, 1]])
    (tmp_path / "masks/no-mask.png").unlink()
    return LabelledImages("mixed", NAMES, False, masked_items(triples, PLAIN))


def test_a_check_finds_what_iterating_would_stop_at_and_names_the_files(mixed: LabelledImages):
    heard: list[int] = []
    findings = mixed.check(heard.append)
    assert sum(heard) == len(mixed) == 40
    assert [problem.name for problem in findings.problems] == sorted(BAD)
    for problem in findings.problems:
        assert f"{problem.name}.png" in problem.sentence
        assert BAD[problem.name] in problem.sentence
        assert problem.sentence.endswith(".")
    with pytest.raises((ImageError, DatasetError), match=r"cut\.png"):
        list(mixed)


def test_without_the_bad_images_the_others_are_as_before(mixed: LabelledImages):
    rest = mixed.without({problem.name for problem in mixed.check().problems})
    samples = list(rest)
    assert [sample.name for sample in samples] == [f"good{number:02d}" for number in range(35)]
    assert all(sample.truth.tolist() == [[0, 1, 1, IGNORE]] * 3 for sample in samples)
    assert len(rest) == 35
    assert len(mixed) == 40
    assert rest.check() == Findings()
    assert (rest.classes, rest.vocabulary) == (mixed.classes, mixed.vocabulary)


def test_a_data_set_without_all_its_images_is_refused(mixed: LabelledImages):
    with refused("mixed", "no image is left", "40"):
        mixed.without([*BAD, *(f"good{number:02d}" for number in range(35))])


def test_nothing_can_be_wrong_with_drawn_scenes_and_some_can_be_left_out():
    scenes = PicturebookDataset("voc", size=3)
    assert isinstance(scenes, CheckableDataset)
    heard: list[int] = []
    assert scenes.check(heard.append) == Findings()
    assert heard == [3]
    rest = scenes.without({"held-out-00001"})
    assert [sample.name for sample in rest] == ["held-out-00000", "held-out-00002"]
    assert (len(rest), len(scenes)) == (2, 3)
    with refused("picturebook-voc", "no scene is left"):
        scenes.without([f"held-out-0000{number}" for number in range(3)])
