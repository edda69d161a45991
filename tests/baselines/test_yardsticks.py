"""Yardsticks by name."""

from typing import get_args

import pytest

from tests.tiny import TEACH, photo, teacher
from zeroseg.baselines import READ_OUT, DenseCLIP, GridCrops, SlidingWindows, Yardstick, open_yardstick
from zeroseg.segmenter import ImageEncoder, Segmenter

KINDS = {"crops": GridCrops, "windows": SlidingWindows}


@pytest.mark.parametrize("name", get_args(Yardstick))
def test_a_yardstick_is_what_its_name_says_and_segments(name: Yardstick):
    encoder = open_yardstick(name, teacher())
    assert isinstance(encoder, ImageEncoder)
    assert isinstance(encoder, KINDS.get(name, DenseCLIP))
    assert not isinstance(encoder, DenseCLIP) or encoder.method == name
    assert encoder.shorter_side == 2 * TEACH.image_size
    assert Segmenter(encoder, teacher(), READ_OUT)(photo(40, 30), "dog, cat").size == (40, 30)
