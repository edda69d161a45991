"""Pictures that are too large for copies: computed in strips and tiles, with the result of the whole."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tests.tiny import PATCH_STUDENT, photo, student, teacher
from zeroseg.encoding import StudentEncoder
from zeroseg.rules import Margin, NoBackground
from zeroseg.segmenter import Segmenter
from zeroseg.student.config import Naming, ReadOut

LABELS = ["dog", "grass", "house"]


def in_parts(patch: pytest.MonkeyPatch) -> None:
    """As if any picture were too large."""
    for name, value in (
        ("zeroseg.images.conversion.AT_ONCE", 500),
        ("zeroseg.images.tensors.WHOLE", 0),
        ("zeroseg.images.tensors.TILE", 600),
        ("zeroseg.images.tensors.TILE_WIDTH", 50),
        ("zeroseg.scoring.WIDE", 500),
        ("zeroseg.components.AT_ONCE", 700),
    ):
        patch.setattr(name, value)


@pytest.mark.parametrize("naming", ["segments", "patches"])
@pytest.mark.parametrize("refinement", [0, 2])
def test_a_picture_in_parts_has_the_labels_of_the_whole(
    naming: Naming, refinement: int, monkeypatch: pytest.MonkeyPatch
):
    read_out = ReadOut(naming, Margin(), refinement=refinement, smallest_region=0.002)
    ours = Segmenter(StudentEncoder(student(PATCH_STUDENT)), teacher(), read_out)
    picture = photo(203, 151)
    whole = ours(picture, LABELS)
    in_parts(monkeypatch)
    parts = ours(picture, LABELS)
    assert (parts.class_map == whole.class_map).mean() > 0.999  # rounding may decide between equals
    np.testing.assert_allclose(parts.scores, whole.scores, atol=1e-4)


def test_an_enlarged_picture_has_the_labels_of_its_original(monkeypatch: pytest.MonkeyPatch):
    ours = Segmenter(StudentEncoder(student(PATCH_STUDENT)), teacher(), ReadOut("patches", NoBackground()))
    small = photo(64, 48)
    expected = ours(small, LABELS).class_map
    in_parts(monkeypatch)
    large = ours(small.resize((640, 480), Image.Resampling.BICUBIC), LABELS).class_map
    assert (large[5::10, 5::10] == expected).mean() > 0.99


def test_a_picture_of_one_row_is_segmented_in_parts(monkeypatch: pytest.MonkeyPatch):
    in_parts(monkeypatch)
    ours = Segmenter(StudentEncoder(student(PATCH_STUDENT)), teacher(), ReadOut("patches", NoBackground()))
    for size in ((3000, 1), (1, 3000)):
        assert ours(photo(*size), LABELS).size == size
