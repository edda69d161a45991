"""Yardsticks by name."""

from typing import get_args

import pytest

from tests.tiny import TEACH, photo, teacher
from zeroseg.baselines import (
    DenseReadOut,
    GridCrops,
    SlidingWindows,
    TrueRegions,
    Yardstick,
    open_yardstick,
    yardstick_segmenter,
)
from zeroseg.baselines.oracle import Nothing
from zeroseg.segmenter import ImageEncoder

KINDS = {"crops": GridCrops, "windows": SlidingWindows, "background": Nothing, "oracle": TrueRegions}


@pytest.mark.parametrize("name", get_args(Yardstick))
def test_a_yardstick_is_what_its_name_says_and_segments(name: Yardstick):
    encoder = open_yardstick(name, teacher())
    assert isinstance(encoder, ImageEncoder)
    assert isinstance(encoder, KINDS.get(name, DenseReadOut))
    assert not isinstance(encoder, DenseReadOut) or encoder.method == name
    assert encoder.shorter_side == (1 if name in ("background", "oracle") else 2) * TEACH.image_size
    assert yardstick_segmenter(name, teacher())(photo(40, 30), "dog, cat").size == (40, 30)
