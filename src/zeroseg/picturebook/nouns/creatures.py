"""Animals: each function draws one creature in its own square (see `pen`)."""

from __future__ import annotations

from zeroseg.picturebook.palette import RGB
from zeroseg.picturebook.pen import Pen

BEAK: RGB = (246, 160, 40)


def _legs(pen: Pen, xs: tuple[float, ...], top: float, foot: float, width: float, fill: RGB) -> None:
    """Straight legs, one about each x."""
    for x in xs:
        pen.rectangle(x - width / 2, top, x + width / 2, foot, fill)


def cat(pen: Pen) -> None:
    """A cat, sitting and facing us, its tail curled up at one side."""
    w, tip = pen.vary(0.46, 0.08), pen.vary(0.12, 0.5)
    pen.limb([(0.1, 0.8), (0.62, 0.82), (0.86, 0.45), (0.66, 0.12), (0.82, -tip)], pen.main, 0.22)
    pen.blob([(0, -0.3), (w * 0.8, 0.2), (w, 0.75), (0.2, 0.93), (-0.2, 0.93), (-w, 0.75), (-w * 0.8, 0.2)], pen.main)
    pen.ellipse(0, 0.42, 0.2, 0.32, pen.light, ink=False)
    pen.line([(0, 0.6), (0, 0.9)], pen.ink, 0.06)
    for side in (-1, 1):
        pen.polygon([(side * 0.56, -0.4), (side * 0.56, -0.97), (side * 0.1, -0.66)], pen.main)
        pen.polygon([(side * 0.48, -0.6), (side * 0.48, -0.82), (side * 0.3, -0.68)], pen.accent, ink=False)
    pen.ellipse(0, -0.3, 0.6, 0.43, pen.main)
    for side in (-1, 1):
        pen.eye(side * 0.25, -0.36, 0.1)
        pen.line([(side * 0.2, -0.14), (side * 0.76, -0.24)], pen.ink, 0.04)
        pen.line([(side * 0.2, -0.08), (side * 0.74, -0.02)], pen.ink, 0.04)
    pen.polygon([(-0.09, -0.2), (0.09, -0.2), (0, -0.1)], pen.ink, ink=False)


def dog(pen: Pen) -> None:
    """A dog standing in profile, looking left, with drooping ear, collar and raised tail."""
    y, tail = pen.vary(0.2, 0.15), pen.vary(0.5, 0.3)
    pen.limb([(0.66, 0.05), (0.86, -0.2), (0.86, -tail)], pen.main, 0.2)
    _legs(pen, (-0.14, 0.44), y, 0.84, 0.2, pen.dark)
    _legs(pen, (-0.34, 0.66), y, 0.9, 0.22, pen.main)
    pen.blob([(-0.5, -0.2), (0.1, -0.1), (0.7, -0.1), (0.78, 0.3), (0.2, 0.4), (-0.42, 0.44)], pen.main)
    pen.ellipse(0.3, 0.08, pen.vary(0.2, 0.3), 0.14, pen.dark, ink=False)
    pen.blob(
        [
            (-0.97, -0.4),
            (-0.68, -0.54),
            (-0.52, -0.9),
            (-0.15, -0.88),
            (-0.04, -0.4),
            (-0.2, 0),
            (-0.5, -0.06),
            (-0.9, -0.14),
        ],
        pen.main,
    )
    pen.limb([(-0.46, 0.02), (-0.1, -0.06)], pen.accent, 0.15)
    pen.blob([(-0.28, -0.84), (0, -0.78), (0.16, -0.3), (0, 0.02), (-0.2, -0.2)], pen.dark)
    pen.ellipse(-0.9, -0.38, 0.11, 0.1, pen.ink, ink=False)
    pen.eye(-0.46, -0.54, 0.09)
    pen.line([(-0.86, -0.22), (-0.6, -0.22)], pen.ink, 0.05)


def rabbit(pen: Pen) -> None:
    """A rabbit crouching in profile, looking left, with long upright ears and a cotton tail."""
    ear, lean = pen.vary(0.42, 0.1), pen.vary(0.2, 0.6)
    pen.ellipse(0.78, 0.55, 0.2, 0.2, pen.white)
    pen.blob([(-0.5, 0.2), (0.1, -0.02), (0.62, 0.2), (0.76, 0.6), (0.5, 0.92), (-0.4, 0.92), (-0.55, 0.6)], pen.main)
    pen.ellipse(0.36, 0.56, 0.32, 0.3, pen.main)
    pen.ellipse(0.18, 0.85, 0.36, 0.12, pen.light)
    pen.ellipse(-0.44, 0.86, 0.24, 0.11, pen.light)
    pen.ellipse(-0.12 + lean * 0.5, -0.5, 0.15, ear, pen.dark, turn=0.25 + lean)
    pen.ellipse(-0.36, -0.52, 0.16, ear, pen.main, turn=lean * 0.4)
    pen.ellipse(-0.36, -0.54, 0.07, ear * 0.7, pen.light, ink=False, turn=lean * 0.4)
    pen.ellipse(-0.46, 0.08, 0.42, 0.34, pen.main)
    pen.ellipse(-0.84, 0.1, 0.07, 0.06, pen.ink, ink=False)
    pen.eye(-0.56, 0, 0.09)
    pen.ellipse(-0.4, 0.22, 0.1, 0.07, pen.light, ink=False)


def horse(pen: Pen) -> None:
    """A horse in profile, looking left: long legs, arched neck, mane and flowing tail."""
    mane, hip = pen.accent, pen.vary(0.62, 0.06)
    pen.blob([(0.6, -0.2), (0.86, -0.1), (0.96, 0.5), (0.78, 0.62), (0.74, 0.2)], mane)
    _legs(pen, (-0.12, 0.36), 0.1, 0.86, 0.14, pen.dark)
    pen.blob([(0.02, -0.3), (-0.08, -0.72), (-0.34, -0.98), (-0.5, -0.86), (-0.2, -0.4), (-0.1, 0)], mane)
    _legs(pen, (-0.32, hip), 0.1, 0.94, 0.16, pen.main)
    pen.polygon([(-0.42, -0.8), (-0.4, -0.98), (-0.26, -0.82)], pen.main)
    back = [(-0.44, -0.86), (-0.2, -0.62), (0.02, -0.24), (0.4, -0.2), (0.74, -0.2), (0.74, 0.22), (0.2, 0.26)]
    head = [(-0.44, -0.42), (-0.82, -0.22), (-0.95, -0.4), (-0.66, -0.72)]
    pen.blob([*back, (-0.34, 0.3), (-0.46, 0), *head], pen.main)
    pen.line([(-0.4, -0.88), (-0.2, -0.62), (0.0, -0.26)], mane, 0.14, smooth=True)
    _legs(pen, (-0.32, hip), 0.84, 0.95, 0.16, pen.ink)
    pen.eye(-0.55, -0.62, 0.08)
    pen.ellipse(-0.86, -0.36, 0.04, 0.04, pen.ink, ink=False)


def elephant(pen: Pen) -> None:
    """An elephant in profile, looking left: great ear, hanging trunk, pillar legs."""
    ear, tip = pen.vary(0.3, 0.12), pen.vary(0.2, 0.6)
    pen.limb([(0.84, -0.1), (0.96, 0.1), (0.92, 0.4)], pen.dark, 0.1)
    _legs(pen, (0.02, 0.5), 0.3, 0.82, 0.26, pen.dark)
    _legs(pen, (-0.2, 0.72), 0.2, 0.9, 0.3, pen.main)
    pen.blob([(-0.4, -0.4), (0.2, -0.68), (0.8, -0.4), (0.88, 0.2), (0.6, 0.44), (-0.1, 0.44), (-0.4, 0.2)], pen.main)
    pen.blob(
        [
            (-0.3, -0.8),
            (-0.6, -0.7),
            (-0.78, -0.2),
            (-0.78, 0.46),
            (-0.86, 0.54),
            (-0.9, 0.5 - tip),
            (-1, 0.5 - tip),
            (-0.98, 0.7),
            (-0.76, 0.82),
            (-0.58, 0.6),
            (-0.5, 0.16),
            (-0.2, 0.1),
            (0.02, -0.4),
        ],
        pen.main,
    )
    pen.blob([(-0.56, 0.06), (-0.62, 0.3), (-0.84, 0.34), (-0.7, 0.06)], pen.white)
    pen.ellipse(-0.04, -0.28, ear, 0.42, pen.light, turn=-0.15)
    pen.eye(-0.54, -0.34, 0.09)
    for x in (-0.2, 0.72):
        pen.ellipse(x, 0.86, 0.1, 0.05, pen.white, ink=False)


def bird(pen: Pen) -> None:
    """A perching bird in profile, looking left: round breast, raised wing, long tail."""
    tail, wing = pen.vary(0.2, 0.8), pen.vary(0.8, 0.2)
    for x in (-0.14, 0.12):
        pen.line([(x, 0.5), (x, 0.9), (x - 0.16, 0.93)], pen.ink, 0.08)
    pen.polygon([(0.3, 0.02), (0.97, -0.3 + tail), (0.96, 0.12 + tail), (0.4, 0.4)], pen.dark)
    pen.polygon([(-0.7, -0.5), (-0.98, -0.28), (-0.66, -0.24)], BEAK)
    pen.blob(
        [
            (-0.42, -0.78),
            (-0.1, -0.6),
            (0.1, -0.18),
            (0.52, 0.1),
            (0.36, 0.5),
            (-0.1, 0.66),
            (-0.56, 0.4),
            (-0.66, -0.1),
            (-0.74, -0.5),
        ],
        pen.main,
    )
    pen.blob([(-0.6, 0.0), (-0.34, 0.14), (-0.12, 0.54), (-0.36, 0.5), (-0.54, 0.3)], pen.light, ink=False)
    pen.blob([(-0.2, 0.1), (0.1, -0.5), (0.6, -wing), (0.56, -0.3), (0.4, 0.14), (0.06, 0.32)], pen.dark)
    pen.line([(0.1, 0.1), (0.42, -0.4)], pen.light, 0.06)
    pen.eye(-0.48, -0.46, 0.1)


def penguin(pen: Pen) -> None:
    """A penguin, upright and facing us: white belly, flippers at its sides."""
    w, lift = pen.vary(0.46, 0.1), pen.vary(0.2, 0.5)
    for side in (-1, 1):
        pen.ellipse(side * 0.24, 0.88, 0.24, 0.09, BEAK)
        out = side * (w + 0.24)
        pen.blob([(side * 0.3, -0.34), (out, 0.3 - lift), (out, 0.5 - lift), (side * 0.36, 0.24)], pen.main)
    pen.blob(
        [
            (0, -0.96),
            (0.34, -0.82),
            (0.38, -0.44),
            (w, 0.1),
            (w, 0.6),
            (0.2, 0.88),
            (-0.2, 0.88),
            (-w, 0.6),
            (-w, 0.1),
            (-0.38, -0.44),
            (-0.34, -0.82),
        ],
        pen.main,
    )
    pen.ellipse(0, 0.32, w * 0.66, 0.48, pen.white, ink=False)
    for side in (-1, 1):
        pen.ellipse(side * 0.16, -0.6, 0.16, 0.17, pen.white, ink=False)
        pen.eye(side * 0.13, -0.6, 0.08)
    pen.polygon([(-0.14, -0.5), (0.14, -0.5), (0, -0.28)], BEAK)


def starfish(pen: Pen) -> None:
    """A starfish: five blunt arms, dots along them, a small smile."""
    r = pen.vary(0.47, 0.1)
    tips = [(0.0, -0.92), (0.9, -0.26), (0.56, 0.84), (-0.56, 0.84), (-0.9, -0.26)]
    dips = [(0.588, -0.809), (0.951, 0.309), (0.0, 1.0), (-0.951, 0.309), (-0.588, -0.809)]
    outline: list[tuple[float, float]] = []
    for (x, y), (u, v) in zip(tips, dips, strict=True):
        outline += [(x + y * 0.13, y - x * 0.13), (x - y * 0.13, y + x * 0.13), (u * r, v * r)]
    pen.blob(outline, pen.main)
    for x, y in tips:
        pen.ellipse(x * 0.72, y * 0.72, 0.09, 0.09, pen.light, ink=False)
    pen.eye(-0.16, -0.12, 0.1)
    pen.eye(0.16, -0.12, 0.1)
    pen.line([(-0.16, 0.12), (0, 0.22), (0.16, 0.12)], pen.ink, 0.06, smooth=True)


def turtle(pen: Pen) -> None:
    """A turtle in profile, looking left: domed shell over stout legs."""
    h, skin = pen.vary(0.64, 0.1), pen.light
    pen.polygon([(0.6, 0.3), (0.98, 0.52), (0.6, 0.46)], skin)
    for x in (-0.36, 0.46):
        pen.blob([(x - 0.16, 0.3), (x + 0.16, 0.3), (x + 0.16, 0.72), (x - 0.22, 0.72)], skin)
    neck = [(-0.4, 0.4), (-0.68, 0.28), (-0.94, 0.14), (-0.98, -0.16), (-0.76, -0.3), (-0.56, -0.1), (-0.3, 0.1)]
    pen.blob(neck, skin)
    pen.blob([(-0.6, 0.34), (-0.42, -0.26), (0.1, -h), (0.62, -0.26), (0.8, 0.34), (0.1, 0.4)], pen.main)
    pen.polygon([(-0.1, -0.36), (0.3, -0.36), (0.42, -0.04), (0.1, 0.18), (-0.22, -0.04)], pen.dark, ink=False)
    for x in (-0.38, 0.58):
        pen.ellipse(x, 0.08, 0.09, 0.12, pen.dark, ink=False)
    pen.limb([(-0.6, 0.36), (0.1, 0.44), (0.8, 0.36)], pen.main, 0.19)
    pen.eye(-0.8, -0.08, 0.08)


def snail(pen: Pen) -> None:
    """A snail in profile, looking left: spiral shell on a long foot, eyes on stalks."""
    r = pen.vary(0.6, 0.08)
    x, y = 0.3, 0.62 - r
    for u in (-0.92, -0.56):
        pen.limb([(-0.7, 0.0), (u, -0.5)], pen.light, 0.1)
        pen.ellipse(u, -0.56, 0.1, 0.1, pen.ink, ink=False)
    pen.blob(
        [
            (-0.94, 0.04),
            (-0.72, -0.16),
            (-0.5, 0.04),
            (-0.36, 0.5),
            (0.4, 0.52),
            (0.97, 0.76),
            (0.2, 0.8),
            (-0.6, 0.78),
            (-0.86, 0.44),
        ],
        pen.light,
    )
    pen.ellipse(x, y, r, r, pen.main)
    outer = [(0.9, 0.5), (0.3, 0.68), (-0.5, 0.5), (-0.68, -0.1), (-0.2, -0.58)]
    inner = [(0.4, -0.36), (0.42, 0.14), (0.0, 0.34), (-0.32, 0.0), (0, -0.16)]
    pen.line([(x + u * r, y + v * r) for u, v in outer + inner], pen.ink, 0.09, smooth=True)
    pen.line([(-0.86, 0.22), (-0.7, 0.26)], pen.ink, 0.05)


def butterfly(pen: Pen) -> None:
    """A butterfly from above, wings spread."""
    top, low = pen.vary(0.86, 0.08), pen.vary(0.8, 0.1)
    spot = pen.vary(0.16, 0.25)
    for side in (-1, 1):
        pen.line([(0, -0.5), (side * 0.16, -0.8), (side * 0.34, -0.92)], pen.ink, 0.06, smooth=True)
        pen.blob([(0, 0), (side * 0.5, 0.06), (side * 0.76, 0.36), (side * 0.56, low), (side * 0.22, 0.66)], pen.main)
        outer = [(side * 0.8, -top), (side * 0.96, -0.5), (side * 0.72, 0.08)]
        pen.blob([(0, 0.06), (side * 0.3, -0.5), *outer], pen.main)
        pen.ellipse(side * 0.68, -0.44, spot, spot * 1.2, pen.accent, ink=False)
        pen.ellipse(side * 0.46, 0.42, spot * 0.8, spot * 0.8, pen.light, ink=False)
    pen.ellipse(0, 0.06, 0.11, 0.6, pen.ink, ink=False)
    pen.ellipse(0, -0.54, 0.13, 0.13, pen.ink, ink=False)


def fish(pen: Pen) -> None:
    """A fish in profile, looking left."""
    h = pen.vary(0.52)
    pen.polygon([(0.45, 0), (0.98, -h), (0.86, 0), (0.98, h)], pen.dark)
    pen.polygon([(-0.15, -h * 0.8), (0.2, -0.95), (0.4, -h * 0.5)], pen.dark)
    pen.blob([(-0.98, 0), (-0.5, -h), (0.2, -h * 0.95), (0.62, 0), (0.2, h * 0.95), (-0.5, h)], pen.main)
    pen.line([(-0.38, -h * 0.6), (-0.28, 0), (-0.38, h * 0.6)], pen.ink, 0.06, smooth=True)
    pen.polygon([(0.0, 0.05), (0.32, 0.3), (0.02, 0.42)], pen.dark)
    pen.eye(-0.62, -0.1, 0.1)
