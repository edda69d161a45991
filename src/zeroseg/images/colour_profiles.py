"""Colours of pictures that carry a colour profile (ICC), as sRGB.

The intent is perceptual, as in browsers. Profiles of screens and cameras (a matrix and three curves) have one table for
all intents, so for them it is relative colorimetric: colours that sRGB has are exact, others are clipped. Profiles of
printers have a table for each intent; that of the perceptual one keeps the gradations of a photo. The darkest
ink becomes black (black point compensation, which lcms adds to this intent).
"""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms

INTENT = ImageCms.Intent.PERCEPTUAL
SPACES = {"L": b"GRAY", "RGB": b"RGB ", "RGBA": b"RGB ", "CMYK": b"CMYK"}  # by the mode of the picture
CLASSES = frozenset(
    {b"scnr", b"mntr", b"prtr", b"spac"}
)  # profiles of devices and spaces; not of links and named colours
SAME = 2  # a profile that moves no colour by more than this, of 255, is sRGB's own
LEVELS = np.linspace(0, 255, 9).round().astype(np.uint8)  # of the colours that are tried


def profile_mode(mode: str, alpha: bool) -> str | None:
    """The mode that `in_srgb` takes for the colours of a picture of `mode`; None if they cannot be converted."""
    if mode in {"CMYK", "LAB"}:
        return mode
    if mode in {"1", "L", "LA", "La"} or mode.startswith("I;16"):
        return "LA" if alpha else "L"
    if mode in {"P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "YCbCr", "HSV"}:
        return "RGBA" if alpha else "RGB"
    return None


def in_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image | None:
    """A picture of L, LA, RGB, RGBA, CMYK or LAB as RGB, with transparency as RGBA; a new picture.

    None if its colours are to be taken as they are: the profile is that of sRGB itself, it is damaged, or it describes
    colours of another kind than the picture's. Lab has one meaning, so its profile does not matter.
    """
    mode = "L" if picture.mode == "LA" else picture.mode
    transform = _from_lab() if mode == "LAB" else _to_srgb(profile, mode) if profile else None
    if transform is None:
        return None
    if picture.mode != "LA":
        return transform.apply(picture)
    grey, alpha = picture.split()
    colours = transform.apply(grey)
    colours.putalpha(alpha)
    return colours


@lru_cache(maxsize=8)
def _to_srgb(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    try:
        kind, space = profile[12:16], profile[16:20]  # of the header
        if kind not in CLASSES or space != SPACES[mode]:
            return None
        given = ImageCms.ImageCmsProfile(BytesIO(profile))
        if mode != "CMYK" and _keeps_colours(_transform(given, "RGB" if mode == "RGBA" else mode)):
            return None
        return _transform(given, mode)
    except Exception:  # lcms and Pillow raise many kinds of errors for malformed profiles
        return None


def _from_lab() -> ImageCms.ImageCmsTransform:
    return _transform(ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")), "LAB")


def _transform(given: ImageCms.ImageCmsProfile, mode: str) -> ImageCms.ImageCmsTransform:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    # lcms replaces long computations by a table of 33 steps, which is coarse for dark greys and for Lab
    flags = ImageCms.Flags.NOOPTIMIZE if mode in {"L", "LAB"} else ImageCms.Flags.NONE
    return ImageCms.ImageCmsTransform(given, srgb, mode, "RGBA" if mode == "RGBA" else "RGB", INTENT, flags=flags)


def _keeps_colours(transform: ImageCms.ImageCmsTransform) -> bool:
    greys = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    lattice = np.stack(np.meshgrid(LEVELS, LEVELS, LEVELS), axis=-1).reshape(-1, 3)
    tried = np.concatenate([greys, lattice])[None] if transform.input_mode == "RGB" else greys[None]
    given = Image.fromarray(tried) if transform.input_mode == "RGB" else Image.fromarray(tried[..., 0])
    moved = np.asarray(transform.apply(given), int) - tried
    return bool(np.abs(moved).max() <= SAME)
