"""Modes of pictures become RGB."""

import struct
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


def test_ycck_is_converted():
    """The fourth way of JPEG to store inks: as luminance, colour differences and black, inverted."""
    cmyk = stored(Image.new("CMYK", (8, 8), (200, 127, 127, 0)), "JPEG", quality=100)
    place = cmyk.index(b"Adobe") + 11
    assert_close(load_image(cmyk), Image.new("RGB", (8, 8), (55, 128, 128)), 1)
    assert_close(load_image(cmyk[:place] + b"\2" + cmyk[place + 1 :]), Image.new("RGB", (8, 8), (200, 200, 200)), 2)


def test_16_bit_grey_with_a_transparent_value():
    """Only that value is transparent, not its neighbours that 8 bits cannot tell from it."""
    grey = Image.fromarray(np.array([[0x1234, 0x1235, 0]], np.uint16))
    assert np.asarray(load_image(stored(grey, "PNG", transparency=0x1234)))[0, :, 0].tolist() == [255, 18, 0]


@pytest.mark.parametrize("order", ["<", ">"])
def test_16_bit_colours_of_a_tiff(order: str):
    ramp = np.stack([np.arange(256), np.arange(256)[::-1], np.full(256, 7)], axis=-1)
    pixels = (ramp * 257).astype(order + "u2").tobytes()
    fields = [(256, 256), (257, 1), (259, 1), (262, 2), (273, 8), (277, 3), (278, 1), (279, len(pixels))]
    bits = 8 + len(pixels)  # where the three numbers of bits stand
    rows = [struct.pack(order + "HHII", tag, 4, 1, value) for tag, value in fields]
    rows.insert(2, struct.pack(order + "HHII", 258, 3, 3, bits))
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", bits + 6)
    data = head + pixels + struct.pack(order + "3H", 16, 16, 16) + struct.pack(order + "H", len(rows)) + b"".join(rows)
    np.testing.assert_array_equal(np.asarray(load_image(data + bytes(4)))[0], ramp)
