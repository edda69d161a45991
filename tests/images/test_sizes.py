"""Extreme sizes, and too many pixels."""

import struct
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from tests.images.pictures import DISPLAY_P3, assert_close, gradient, matrix_profile, png_chunk, stored
from zeroseg.errors import ImageError
from zeroseg.images import MAX_PIXELS, borrow_image, load_image


@pytest.mark.parametrize("size", [(1, 1), (20_000, 20), (1, 3000)])
def test_extreme_shapes_are_right(size: tuple[int, int]):
    image = Image.new("RGB", size, (1, 2, 3))
    assert_close(load_image(stored(image, "PNG")), image)


@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_100_megapixels_load_without_a_warning(file_format: str):
    """Pillow warns from 89 Mpx on (an error here); uncompressed TIFF is checked again while decoding."""
    image = Image.new("1", (10_000, 10_000))
    image.paste(1, (9_999, 0, 10_000, 10_000))
    loaded = load_image(stored(image, file_format))
    assert loaded.size == (10_000, 10_000)
    assert loaded.getpixel((9_999, 5_000)) == (255, 255, 255)
    assert loaded.getpixel((9_998, 5_000)) == (0, 0, 0)


def png_header_only(width: int, height: int) -> bytes:
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", b"") + png_chunk(b"IEND", b"")


def test_too_many_pixels_are_refused_from_the_header_alone():
    """There are no pixels in this file: had decoding begun, the sentence would be another."""
    for side in (30_000, 1_000_000):
        with pytest.raises(ImageError, match="more than the 500,000,000 allowed"):
            load_image(png_header_only(side, side))
    with pytest.raises(ImageError, match="truncated"):
        load_image(png_header_only(100, 100))
    assert MAX_PIXELS == 500_000_000


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "BMP"])
def test_a_small_file_that_claims_a_huge_picture_reserves_no_memory(file_format: str):
    side = struct.pack("<I", 20_000)
    data = {
        "PNG": png_header_only(20_000, 20_000),
        "TIFF": stored(gradient(), "TIFF").replace(struct.pack("<I", 24), side).replace(struct.pack("<I", 16), side),
        "BMP": (lambda data: data[:18] + side + side + data[26:])(stored(gradient(), "BMP")),
    }[file_format]
    with pytest.raises(ImageError, match=r"claims 20000 x 20000 pixels in only [\d,]+ bytes"):
        load_image(data)


@pytest.mark.parametrize(
    ("side", "complaint"),
    [(2**24, "pixels, more than the 268,402,689 allowed"), (16_383, "claims 16383 x 16383 pixels in only 30 bytes")],
)
def test_webp_that_claims_a_giant_canvas_is_refused(side: int, complaint: str):
    """Before Pillow sees it, which reserves the canvas to recognise the file."""
    body = b"WEBP" + b"VP8X" + struct.pack("<I", 10) + b"\x00" * 4 + struct.pack("<I", side - 1)[:3] * 2
    with pytest.raises(ImageError, match=complaint):
        load_image(b"RIFF" + struct.pack("<I", len(body)) + body)


def test_given_pillow_image_is_held_to_the_limit_too(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("zeroseg.images.reading.MAX_PIXELS", 99)
    for load in (load_image, borrow_image):
        with pytest.raises(ImageError, match="10 x 10 = 100 pixels, more than the 99 allowed"):
            load(Image.new("RGB", (10, 10)))
    with pytest.raises(ImageError, match="no pixels"):
        load_image(Image.new("RGB", (0, 5)))


def test_pillows_own_limit_is_as_before_also_after_failures_and_threads(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1234)
    sources = [stored(gradient(100, 100), "PNG"), b"nonsense", png_header_only(10**6, 10**6)] * 20

    def size_or_none(source: bytes) -> tuple[int, int] | None:
        try:
            return load_image(source).size
        except ImageError:
            return None

    with ThreadPoolExecutor(4) as threads:
        sizes = list(threads.map(size_or_none, sources))
    assert sizes == [(100, 100), None, None] * 20
    assert Image.MAX_IMAGE_PIXELS == 1234


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "I;16", "I", "F", "CMYK", "YCbCr", "La", "RGBa"])
def test_a_large_picture_is_converted_in_strips(mode: str, monkeypatch: pytest.MonkeyPatch):
    """A strip of a picture without a known range takes the range of the whole picture."""
    picture = gradient(37, 29)
    picture.putalpha(picture.getchannel("R"))
    via = {"RGBa": "RGBA", "La": "LA", "CMYK": "RGB", "YCbCr": "RGB"}.get(mode)
    picture = (picture.convert(via) if via else picture if mode != "I;16" else picture.convert("L")).convert(mode)
    if mode in {"I", "F"}:
        picture = picture.point(lambda value: value * 3 + 0)
    elif mode == "P":
        picture.info["transparency"] = 3
    picture.info["icc_profile"] = matrix_profile(DISPLAY_P3, 1.8)
    whole = load_image(picture)
    for pixels in (1, 37, 100, 1000):
        monkeypatch.setattr("zeroseg.images.conversion.AT_ONCE", pixels)
        assert_close(load_image(picture), whole)


def test_a_large_file_is_converted_in_place(monkeypatch: pytest.MonkeyPatch):
    data = stored(gradient(), "PNG", icc_profile=matrix_profile(DISPLAY_P3, 1.8))
    whole = load_image(data)
    monkeypatch.setattr("zeroseg.images.conversion.AT_ONCE", 60)
    loaded = load_image(data)
    assert_close(loaded, whole)
    assert not loaded.info
    assert type(loaded) is Image.Image


def test_borrowed_pictures_are_not_copied_if_they_are_plain():
    plain = gradient()
    assert borrow_image(plain) is plain
    turned = gradient()
    turned.getexif()[0x0112] = 6
    keyed = gradient()
    keyed.info["transparency"] = (0, 0, 90)
    for other in (turned, keyed, gradient().convert("L")):
        assert borrow_image(other) is not other
        assert_close(borrow_image(other), load_image(other))
    assert_close(borrow_image(stored(plain, "PNG")), plain)
