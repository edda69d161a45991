"""The ten colours of the picturebook, with the words that captions use for them."""

from __future__ import annotations

from dataclasses import dataclass

RGB = tuple[int, int, int]

INK: RGB = (44, 36, 48)
WHITE: RGB = (252, 250, 244)


@dataclass(frozen=True)
class Colour:
    """A colour with a name: its word, other words for it, and its mean value (sRGB, 0..255)."""

    name: str
    synonyms: tuple[str, ...]
    rgb: RGB


COLOURS: tuple[Colour, ...] = (
    Colour("red", ("scarlet",), (214, 52, 48)),
    Colour("orange", ("amber",), (240, 138, 36)),
    Colour("yellow", ("golden",), (248, 212, 60)),
    Colour("green", ("emerald",), (62, 156, 72)),
    Colour("turquoise", ("teal",), (52, 184, 180)),
    Colour("blue", ("azure",), (56, 104, 208)),
    Colour("purple", ("violet",), (136, 76, 176)),
    Colour("pink", ("rosy",), (244, 140, 184)),
    Colour("brown", ("chestnut",), (134, 86, 52)),
    Colour("grey", ("silver",), (150, 152, 160)),
)


def mix(one: RGB, other: RGB, fraction: float) -> RGB:
    """The colour between `one` (`fraction` 0) and `other` (`fraction` 1)."""
    r, g, b = (round(a + (c - a) * fraction) for a, c in zip(one, other, strict=True))
    return r, g, b
