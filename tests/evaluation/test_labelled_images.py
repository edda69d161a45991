"""Images and truths on disk: what EXIF turns, it turns together."""

from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from tests.evaluation.miniature import refused, write_mask
from zeroseg.evaluation import Dataset
from zeroseg.evaluation.class_names import ClassNames
from zeroseg.evaluation.labelled_images import LabelledImages, masked_items
from zeroseg.evaluation.masks import Numbering
from zeroseg.images import UPRIGHT

NAMES = ClassNames(("dark", "light"), ("dark thing", "light thing"))
PLAIN = Numbering({0: 0, 1: 1, 255: 255})
# An image that shows its own truth: light in one corner and along one edge, 6 x 4 pixels.
TRUTH = np.zeros((4, 6), np.uint8)
TRUTH[0, :] = TRUTH[1, 0] = 1


def dataset(folder: Path, orientation: int | None, mask: np.ndarray) -> LabelledImages:
    exif = Image.Exif()
    if orientation is not None:
        exif[ExifTags.Base.Orientation] = orientation
    Image.fromarray(TRUTH * 255).save(folder / "image.png", exif=exif)
    write_mask(folder / "mask.png", mask)
    return LabelledImages(
        "shown", NAMES, False, masked_items([("one", folder / "image.png", folder / "mask.png")], PLAIN)
    )


@pytest.mark.parametrize("orientation", [None, 1, *UPRIGHT])
def test_a_mask_of_the_stored_pixels_is_turned_with_its_image(tmp_path: Path, orientation: int | None):
    (sample,) = dataset(tmp_path, orientation, TRUTH)
    np.testing.assert_array_equal(sample.truth, np.asarray(sample.image)[:, :, 0] // 255)
    assert (sample.image.size == (6, 4)) == (orientation not in {5, 6, 7, 8})


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_a_mask_that_fits_the_upright_image_only_is_taken_as_it_is(tmp_path: Path, orientation: int):
    upright = np.array(Image.fromarray(TRUTH).transpose(UPRIGHT[orientation]))
    (sample,) = dataset(tmp_path, orientation, upright)
    np.testing.assert_array_equal(sample.truth, upright)
    np.testing.assert_array_equal(sample.truth, np.asarray(sample.image)[:, :, 0] // 255)


def test_a_mask_that_fits_neither_is_refused(tmp_path: Path):
    with refused(tmp_path / "mask.png", "5 x 5 pixels", tmp_path / "image.png", "4 x 6"):
        list(dataset(tmp_path, 6, np.zeros((5, 5), np.uint8)))


def test_it_is_a_data_set_and_reads_nothing_before_it_is_asked(tmp_path: Path):
    shown = dataset(tmp_path, None, TRUTH)
    assert isinstance(shown, Dataset)
    assert shown.classes == ("dark", "light")
    assert shown.vocabulary.labels == ("dark thing", "light thing")
    (tmp_path / "image.png").unlink()
    assert len(shown) == 1


def test_other_numbers_are_refused_or_have_a_class():
    numbers = np.array([[0, 1], [9, 70_000]])
    with refused("mask.png", "number 9"):
        PLAIN.class_map(numbers, Path("mask.png"))
    assert Numbering({1: 3}, others=5).class_map(numbers, Path("mask.png")).tolist() == [[5, 3], [5, 5]]
