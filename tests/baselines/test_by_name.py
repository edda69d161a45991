"""Baselines by name."""

from typing import get_args

import pytest

from tests.tiny import TEACH, photo, teacher
from zeroseg.baselines import (
    BaselineName,
    DenseReadOut,
    GridCrops,
    SlidingWindows,
    TrueRegions,
    baseline_segmenter,
    open_baseline,
)
from zeroseg.baselines.reference import BackgroundOnly
from zeroseg.encoding import ImageEncoder

KINDS = {"crops": GridCrops, "windows": SlidingWindows, "background": BackgroundOnly, "true-regions": TrueRegions}


@pytest.mark.parametrize("name", get_args(BaselineName))
def test_a_baseline_is_what_its_name_says_and_segments(name: BaselineName):
    encoder = open_baseline(name, teacher())
    assert isinstance(encoder, ImageEncoder)
    assert isinstance(encoder, KINDS.get(name, DenseReadOut))
    assert not isinstance(encoder, DenseReadOut) or encoder.method == name
    assert encoder.shorter_side == (1 if name in ("background", "true-regions") else 2) * TEACH.image_size
    assert baseline_segmenter(name, teacher())(photo(40, 30), "dog, cat").size == (40, 30)
