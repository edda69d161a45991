"""Pixels as tensors."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from tests.images.pictures import assert_close, gradient
from zeroseg.images import resize, resize_picture, to_pil, to_tensor

PIXELS = hnp.arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12), st.just(3)))


@settings(max_examples=40, deadline=None)
@given(PIXELS)
def test_tensor_round_trip_is_exact(pixels: np.ndarray):
    image = Image.fromarray(pixels)
    tensor = to_tensor(image)
    assert tensor.shape == (3, image.height, image.width)
    assert tensor.dtype == torch.uint8
    assert tensor[:, -1, 0].tolist() == pixels[-1, 0].tolist()
    assert_close(to_pil(tensor), image)
    assert_close(to_pil(tensor / 255), image)


def test_to_tensor_wants_rgb():
    with pytest.raises(ValueError, match="'L'"):
        to_tensor(Image.new("L", (2, 2)))


def test_to_pil_clamps_floats():
    assert to_pil(torch.tensor([-1.0, 0.5, 2.0])[:, None, None]).getpixel((0, 0)) == (0, 128, 255)


@settings(max_examples=40, deadline=None)
@given(PIXELS, st.integers(1, 20), st.integers(1, 20))
def test_resize_keeps_range_and_commutes_with_batching(pixels: np.ndarray, height: int, width: int):
    tensor = to_tensor(Image.fromarray(pixels))
    one = resize(tensor, (height, width))
    assert one.shape == (3, height, width)
    assert one.min() >= 0
    assert one.max() <= 1
    batch = resize(torch.stack([tensor, 255 - tensor])[None], (height, width))
    assert batch.shape == (1, 2, 3, height, width)
    torch.testing.assert_close(batch[0, 0], one)
    torch.testing.assert_close(resize(tensor / 255, (height, width)), one)


def test_resize_agrees_with_pillow():
    """Pillow's antialiased bicubic is the oracle, on values that stay clear of its clipping between passes."""
    picture = Image.fromarray(np.random.default_rng(0).integers(64, 192, (90, 70, 3), dtype=np.uint8))
    for height, width in ((31, 20), (120, 200), (90, 7)):
        expected = np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC), np.float32) / 255
        resized = resize(to_tensor(picture), (height, width)).permute(1, 2, 0).numpy()
        assert np.abs(resized - expected).max() <= 1.5 / 255


def test_resize_to_its_own_size_changes_nothing():
    tensor = to_tensor(gradient())
    torch.testing.assert_close(resize(tensor, (16, 24)) * 255, tensor.float())
    assert resize(tensor.double() / 255, (8, 8)).dtype == torch.float64


@settings(max_examples=80, deadline=None)
@given(
    width=st.integers(1, 90),
    height=st.integers(1, 90),
    size=st.tuples(st.integers(1, 60), st.integers(2, 60)),  # with one column, torch 2.13 repeats a row
    tile=st.integers(1, 400),
    tile_width=st.integers(1, 60),
)
def test_a_large_picture_is_resized_in_tiles(
    width: int, height: int, size: tuple[int, int], tile: int, tile_width: int
):
    """As torch does it at once, to rounding; also in tiles of one row or one column."""
    picture = Image.fromarray(np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8))
    expected = resize(to_tensor(picture), size)
    assert torch.equal(resize_picture(picture, size), expected)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("WHOLE", 0), ("TILE", tile), ("TILE_WIDTH", tile_width)):
            patch.setattr(f"zeroseg.images.tensors.{name}", value)
        torch.testing.assert_close(resize_picture(picture, size), expected, atol=2e-5, rtol=0)
