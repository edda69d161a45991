"""The same photo in any colour space loads as the same sRGB picture, and no profile rejects a picture."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from tests.images.pictures import (
    ADOBE_RGB,
    DISPLAY_P3,
    PROPHOTO,
    SRGB,
    assert_close,
    gradient,
    in_space,
    ink_profile,
    matrix_profile,
    stored,
)
from zeroseg.images import load_image

SPACES = {"Display P3": (DISPLAY_P3, 2.2), "ProPhoto": (PROPHOTO, 1.8), "Adobe RGB": (ADOBE_RGB, 2.2)}
P3 = matrix_profile(DISPLAY_P3, 2.2)
SRGB_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
PHOTO = Path("src/zeroseg/pictures/photos")


def colours() -> Image.Image:
    """Muted colours of every hue, which all spaces have."""
    pixels = np.random.default_rng(0).integers(40, 216, (24, 32, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def furthest(image: Image.Image, expected: Image.Image) -> int:
    return int(np.abs(np.asarray(image, int) - np.asarray(expected, int)).max())


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "WEBP"])
def test_a_photo_has_the_same_colours_whatever_space_it_was_saved_in(space: str, file_format: str):
    """Within 5 of 255, 0.5 in the mean: the rounding of 8 bits in the wide space, stretched by going back."""
    matrix, gamma = SPACES[space]
    wide = in_space(colours(), matrix, gamma)
    options = {"lossless": True} if file_format == "WEBP" else {}
    assert furthest(wide, colours()) > 20
    loaded = load_image(stored(wide, file_format, icc_profile=matrix_profile(matrix, gamma), **options))
    assert furthest(loaded, colours()) <= 5
    assert_close(loaded, colours(), 0.5)
    assert "icc_profile" not in loaded.info
    assert furthest(load_image(loaded), loaded) == 0


def test_a_jpeg_is_converted_too():
    wide = in_space(gradient(), DISPLAY_P3, 2.2)
    assert_close(load_image(stored(wide, "JPEG", quality=98, subsampling=0, icc_profile=P3)), gradient(), 6)


@pytest.mark.parametrize("profile", [SRGB_PROFILE.tobytes(), matrix_profile(SRGB, 2.2)], ids=["lcms", "gamma 2.2"])
def test_a_picture_in_srgb_is_bit_for_bit_as_it_was(profile: bytes):
    """The curve of gamma 2.2 is not that of sRGB: such a picture is converted, but colours move little."""
    loaded = load_image(stored(colours(), "PNG", icc_profile=profile))
    own = profile == SRGB_PROFILE.tobytes()
    assert furthest(loaded, colours()) <= (0 if own else 6)


@pytest.mark.parametrize("alpha", [False, True])
def test_grey_with_a_profile(alpha: bool):
    """Gamma 1.0: the values are linear light."""
    grey = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    if alpha:
        grey.putalpha(255)
    loaded = load_image(stored(grey, "PNG", icc_profile=matrix_profile((), 1.0, b"GRAY")))
    linear = np.arange(256) / 255
    expected = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055) * 255
    assert np.abs(np.asarray(loaded, int)[0] - expected[:, None]).max() <= 2


def test_16_bit_grey_with_a_profile_is_converted_after_scaling():
    ramp = Image.fromarray((np.arange(256, dtype=np.uint16) * 257)[None])
    profile = matrix_profile((), 1.0, b"GRAY")
    assert (
        furthest(
            load_image(stored(ramp, "PNG", icc_profile=profile)),
            load_image(stored(Image.fromarray(np.arange(256, dtype=np.uint8)[None]), "PNG", icc_profile=profile)),
        )
        == 0
    )


def test_colours_are_converted_before_they_are_blended_with_white():
    wide = in_space(colours(), PROPHOTO, 1.8)
    wide.putalpha(128)
    loaded = load_image(stored(wide, "PNG", icc_profile=matrix_profile(PROPHOTO, 1.8)))
    assert furthest(loaded, Image.blend(colours(), Image.new("RGB", (32, 24), "white"), 1 - 128 / 255)) <= 4


@pytest.mark.parametrize("transparency", [None, 0])
def test_the_colours_of_a_palette_are_converted(transparency: Any):
    wide = in_space(Image.new("RGB", (1, 1), (180, 90, 60)), PROPHOTO, 1.8)
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([0, 0, 0, *wide.tobytes()])
    options = {} if transparency is None else {"transparency": transparency}
    loaded = load_image(stored(palette, "PNG", icc_profile=matrix_profile(PROPHOTO, 1.8), **options))
    assert furthest(loaded, Image.new("RGB", (4, 4), (180, 90, 60))) <= 3


@pytest.mark.parametrize("file_format", ["JPEG", "TIFF"])
def test_inks_are_converted_by_their_profile(file_format: str):
    """Full cyan has the lightness 80 of a grey here: (198, 198, 198). JPEG stores inks inverted."""
    inks = Image.new("CMYK", (16, 16))
    inks.paste((255, 0, 0, 0), (0, 0, 8, 16))
    loaded = np.asarray(load_image(stored(inks, file_format, icc_profile=ink_profile(0))), int)
    assert np.abs(loaded[:, :8] - 198).max() <= 2
    assert loaded[:, 8:].min() >= 254
    assert_close(load_image(stored(inks, file_format)).crop((0, 0, 8, 16)), Image.new("RGB", (8, 16), "cyan"), 2)


def test_the_black_of_inks_becomes_black():
    """Though it reflects light (black point compensation)."""
    inks = Image.new("CMYK", (16, 16), (0, 0, 0, 255))
    assert load_image(stored(inks, "TIFF", icc_profile=ink_profile(10))).getpixel((0, 0)) == (0, 0, 0)


def test_lab_needs_no_profile():
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    picture = ImageCms.ImageCmsTransform(SRGB_PROFILE, lab, "RGB", "LAB").apply(colours())
    loaded = load_image(stored(picture, "TIFF"))
    assert furthest(loaded, colours()) <= 8
    assert_close(loaded, colours(), 1)


def unusable() -> dict[str, bytes]:
    return {
        "empty": b"",
        "garbage": b"no profile" * 40,
        "of grey": matrix_profile((), 1.0, b"GRAY"),
        "of CMYK": P3[:16] + b"CMYK" + P3[20:],
        "truncated": P3[: len(P3) // 2],
        "of the header alone": P3[:128],
        "of a link": P3[:12] + b"link" + P3[16:],
        "without curves": P3.replace(b"TRC", b"XXX"),
    }


@pytest.mark.parametrize("fault", unusable())
@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "TIFF"])
def test_a_profile_that_cannot_be_used_is_ignored(fault: str, file_format: str):
    profile = unusable()[fault]
    without = load_image(stored(colours(), file_format))
    assert furthest(load_image(stored(colours(), file_format, icc_profile=profile)), without) == 0


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_a_profile_of_another_kind_of_colours_is_ignored(mode: str):
    picture = colours().convert(mode)
    assert furthest(load_image(stored(picture, "TIFF", icc_profile=P3)), load_image(picture)) == 0


@settings(max_examples=200, deadline=None)
@given(
    kept=st.floats(0, 1),
    damage=st.lists(st.tuples(st.integers(0, len(P3) - 1), st.integers(0, 255)), max_size=12),
    mode=st.sampled_from(["RGB", "RGBA", "L", "LA", "P", "CMYK"]),
)
def test_no_profile_rejects_a_picture(kept: float, damage: list[tuple[int, int]], mode: str):
    profile = bytearray(P3)
    for place, value in damage:
        profile[place] = value
    picture = colours().convert(mode)
    picture.info["icc_profile"] = bytes(profile[: int(kept * len(profile))])
    assert load_image(picture).size == picture.size


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=400))
def test_not_even_random_bytes_do(profile: bytes):
    picture = colours()
    picture.info["icc_profile"] = profile
    assert furthest(load_image(picture), colours()) == 0


def test_a_given_picture_with_a_profile_is_left_alone():
    picture = Image.open(BytesIO(stored(in_space(colours(), DISPLAY_P3, 2.2), "PNG", icc_profile=P3)))
    before = picture.tobytes()
    assert furthest(load_image(picture), colours()) <= 3
    assert picture.tobytes() == before
    assert picture.info["icc_profile"] == P3
