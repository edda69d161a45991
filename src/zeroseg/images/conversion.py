"""Decoded pictures of any mode as RGB.

Shapes: H, W height and width in pixels.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import UInt8, UInt16
from PIL import Image

from zeroseg.images.colour_profiles import in_srgb, profile_mode

AT_ONCE = 1 << 24  # pixels that are converted at once: a strip of rows of a larger picture


def to_rgb(image: Image.Image, ours: bool = False) -> Image.Image:
    """A loaded picture as RGB, with its colours in sRGB and transparency blended with white; it may keep metadata.

    `ours`: nobody else has the picture. Then pixels of RGB are taken over, and not copied: afterwards the picture must
    not be used.
    """
    profile = image.info.get("icc_profile")
    profile = profile if isinstance(profile, bytes) else None
    if image.mode == "RGB" and ours and not (profile or image.has_transparency_data):
        return _Taking.pixels_of(image)
    limits = _limits(image) if image.mode in {"I", "F"} else None
    parts = ((top, _converted(part, profile, limits)) for top, part in _strips(image))
    if image.width * image.height <= AT_ONCE:
        return next(parts)[1]
    in_place = ours and image.mode == "RGB"
    rgb = _Taking.pixels_of(image) if in_place else Image.new("RGB", image.size)
    for top, part in parts:
        rgb.paste(part, (0, top))
    return rgb


class _Taking(Image.Image):
    @staticmethod
    def pixels_of(image: Image.Image) -> Image.Image:
        """A plain picture with the very pixels of one that was read from a file: a copy would double the memory."""
        return image._new(image.im)


def _strips(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """Strips of rows from top to bottom, each with the row that it begins at; a small picture is one strip, itself."""
    width, height = image.size
    rows = max(1, AT_ONCE // width)
    for top in range(0, height, rows):
        yield top, image if rows >= height else image.crop((0, top, width, min(height, top + rows)))


def _converted(image: Image.Image, profile: bytes | None, limits: tuple[float, float] | None) -> Image.Image:
    """A picture of any mode as RGB; never the same object."""
    transparent = image.has_transparency_data or image.mode in {"La", "RGBa"}
    mode = profile_mode(image.mode, transparent)
    if image.mode.startswith("I;16"):
        image = _of_16_bits(np.asarray(image), image.info.get("transparency"))
    elif limits is not None:
        image = Image.fromarray(_scaled(np.asarray(image), *limits))
    if mode is not None and (profile or mode == "LAB"):
        layer = in_srgb(image if image.mode == mode else image.convert(mode), profile)
        if layer is not None:
            return _on_white(layer) if layer.mode == "RGBA" else layer
    if not transparent:
        return image.convert("RGB")
    if image.mode == "La":
        image = image.convert("LA")
    return _on_white(image.convert("RGBA"))


def _of_16_bits(values: UInt16[np.ndarray, "H W"], transparent: object) -> Image.Image:
    """Grey of 16 bits as 8 bits; with transparency where the value is `transparent`, if that is a number."""
    grey = Image.fromarray(((np.arange(65_536) + 128) // 257).astype(np.uint8)[values])
    if isinstance(transparent, int):
        grey.putalpha(Image.fromarray(np.where(values == transparent, np.uint8(0), np.uint8(255))))
    return grey


def _on_white(layer: Image.Image) -> Image.Image:
    white = Image.new("RGB", layer.size, "white")
    white.paste(layer, mask=layer)
    return white


def _limits(image: Image.Image) -> tuple[float, float]:
    """The values of black and white in a picture that does not state them; (0, 0) if no value is finite."""
    extremes: list[float] = []
    for _, part in _strips(image):
        values = np.asarray(part)
        finite = values[np.isfinite(values)]
        if finite.size:
            extremes += [float(finite.min()), float(finite.max())]
    low, high = min(extremes, default=0.0), max(extremes, default=0.0)
    ranges = (1, 255, 65_535) if image.mode == "F" else (255, 65_535)
    if low >= 0:
        low, high = 0.0, float(next((top for top in ranges if high <= top), high))
    return low, high


def _scaled(values: np.ndarray, low: float, high: float) -> UInt8[np.ndarray, "H W"]:
    """Values from `low` to `high` as 0..255; those that are not finite are black."""
    unit = (np.where(np.isfinite(values), values, low) - low) / max(high - low, 1e-12)
    return (unit.clip(0, 1) * 255).round().astype(np.uint8)
