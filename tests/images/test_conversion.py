"""Modes of pictures become RGB."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.images.pictures import assert_close, gradient, stored
from zeroseg.images import load_image


@pytest.mark.parametrize("dtype", ["<u2", ">u2"])
def test_16_bit_is_scaled_not_saturated(dtype: str):
    ramp = np.linspace(0, 65_535, 256).round().astype(dtype)[None]
    image = Image.fromarray(ramp)
    for source in (image, stored(image, "TIFF"), stored(Image.fromarray(ramp.astype("<u2")), "PNG")):
        np.testing.assert_array_equal(np.asarray(load_image(source))[0, :, 0], np.arange(256))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0, 128, 255]], np.int32), [0, 128, 255]),
        (np.array([[0, 257 * 128, 65_535]], np.int32), [0, 128, 255]),
        (np.array([[0, 10**6, 2 * 10**6]], np.int32), [0, 128, 255]),
        (np.array([[-100, 0, 100]], np.int32), [0, 128, 255]),
        (np.array([[0, 0.5, 1]], np.float32), [0, 128, 255]),
        (np.array([[0, 128, 255]], np.float32), [0, 128, 255]),
        (np.array([[0, np.nan, 1]], np.float32), [0, 0, 255]),
        (np.array([[np.inf, 0.5, 1]], np.float32), [0, 128, 255]),
        (np.full((1, 3), np.nan, np.float32), [0, 0, 0]),
        (np.zeros((1, 3), np.float32), [0, 0, 0]),
        (np.full((1, 3), -5, np.int32), [0, 0, 0]),
    ],
)
def test_integer_and_float_pictures_take_the_range_that_holds_them(values: np.ndarray, expected: list[int]):
    assert np.asarray(load_image(Image.fromarray(values)))[0, :, 1].tolist() == expected


def test_cmyk_is_converted():
    cmyk = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    for file_format in ("JPEG", "TIFF"):
        assert_close(load_image(stored(cmyk, file_format)), Image.new("RGB", (8, 8), "red"), 2)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "La", "RGBa"])
def test_transparency_is_laid_on_white(mode: str):
    """Half of the picture is transparent black: it must come out white, not as the hidden black."""
    image = Image.new("RGBA", (8, 4), (0, 0, 0, 0))
    image.paste((0, 0, 0, 255), (0, 0, 4, 4))
    if mode == "La":
        image = image.convert("LA")
    loaded = load_image(image.convert(mode))
    assert loaded.getpixel((1, 1)) == (0, 0, 0)
    assert loaded.getpixel((6, 1)) == (255, 255, 255)


def test_half_transparency_blends():
    assert load_image(Image.new("RGBA", (1, 1), (0, 0, 0, 128))).getpixel((0, 0)) == (127, 127, 127)


@pytest.mark.parametrize(("mode", "key", "colour"), [("P", 1, None), ("L", 7, 7), ("RGB", (1, 2, 3), (1, 2, 3))])
@pytest.mark.parametrize("file_format", ["PNG", "GIF"])
def test_transparent_palette_index_or_colour_key(mode: str, key: Any, colour: Any, file_format: str):
    if mode == "RGB" and file_format == "GIF":
        pytest.skip("GIF has no RGB")
    image = Image.new(mode, (4, 4), 1 if mode == "P" else colour)
    if mode == "P":
        image.putpalette([255, 0, 0, 0, 255, 0])
    image.putpixel((0, 0), 0 if mode != "RGB" else (0, 0, 0))
    loaded = load_image(stored(image, file_format, transparency=key))
    assert loaded.getpixel((3, 3)) == (255, 255, 255)
    assert loaded.getpixel((0, 0)) == ((255, 0, 0) if mode == "P" else (0, 0, 0))


def test_palette_and_bilevel():
    assert_close(load_image(stored(gradient().convert("P"), "PNG")), gradient().convert("P"))
    assert_close(load_image(Image.new("1", (3, 3), 1)), Image.new("RGB", (3, 3), "white"))
