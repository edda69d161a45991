"""Plants, fruit and things in the sky: each function draws one of them in its own square (see `pen`)."""

from __future__ import annotations

import math

from zeroseg.picturebook.palette import RGB
from zeroseg.picturebook.pen import Pen, Point

_BARK: RGB = (122, 80, 50)
_SEEDS: RGB = (84, 52, 34)
_LEAF: RGB = (74, 150, 66)
_DEEP_LEAF: RGB = (48, 112, 56)
_CREAM: RGB = (246, 232, 204)
_BLUSH: RGB = (240, 130, 120)


def tree(pen: Pen) -> None:
    """A broad-leaved tree: a round scalloped crown on a trunk, sometimes with fruit."""
    w, h, trunk = pen.vary(0.88, 0.08), pen.vary(0.66, 0.05), pen.vary(0.14, 0.2)
    pen.polygon([(-trunk, 0.1), (trunk, 0.1), (trunk * 1.1, 0.7), (trunk * 2, 0.96), (-trunk * 2, 0.96)], _BARK)
    pen.blob([(x * w, (1 + y) * h - 0.96) for x, y in _scallops(pen.pick(7, 9))], pen.main)
    y = h - 0.96
    pen.line([(-0.6 * w, y), (-0.42 * w, y + 0.14), (-0.22 * w, y)], pen.dark, 0.07, smooth=True)
    pen.line([(0.1 * w, y - 0.26), (0.3 * w, y - 0.12), (0.48 * w, y - 0.26)], pen.dark, 0.07, smooth=True)
    pen.line([(0.1 * w, y + 0.22), (0.3 * w, y + 0.36), (0.48 * w, y + 0.22)], pen.dark, 0.07, smooth=True)
    for x, dy in [(-0.26, -0.3), (0.56, 0.04), (-0.1, 0.34)][: pen.pick(0, 3)]:
        pen.ellipse(x * w, y + dy, 0.1, 0.1, pen.accent, ink=False)


def flower(pen: Pen) -> None:
    """A tulip: a cup of three pointed petals over two long leaves."""
    w, top = pen.vary(0.52), -0.95
    pen.limb([(0, 0), (0.03, 0.5), (0, 0.9)], _LEAF, 0.16)
    for side in (-1, 1):
        tip = pen.vary(0.6, 0.15)
        pen.blob([(0, 0.95), (side * tip * 0.62, 0.72), (side * tip, 0.16), (side * tip * 0.26, 0.46)], _LEAF)
    pen.polygon([(-w * 0.6, -0.3), (-w * 0.42, -0.86), (0, -0.5), (w * 0.42, -0.86), (w * 0.6, -0.3)], pen.dark)
    pen.blob(
        [
            (-w, top),
            (-w * 0.4, -0.56),
            (0, top),
            (w * 0.4, -0.56),
            (w, top),
            (w * 1.06, -0.36),
            (w * 0.6, 0.04),
            (0, 0.14),
            (-w * 0.6, 0.04),
            (-w * 1.06, -0.36),
        ],
        pen.main,
    )
    pen.line([(-w * 0.4, -0.52), (-w * 0.42, -0.28), (-w * 0.2, -0.04)], pen.dark, 0.06, smooth=True)
    pen.line([(w * 0.4, -0.52), (w * 0.42, -0.28), (w * 0.2, -0.04)], pen.dark, 0.06, smooth=True)


def sunflower(pen: Pen) -> None:
    """A big head of narrow petals round a dark seeded middle, on a leafy stem."""
    r, y = pen.vary(0.7, 0.04), -0.24
    pen.limb([(0, 0), (0.03, 0.5), (0, 0.92)], _LEAF, 0.15)
    pen.blob([(0.02, 0.9), (0.26, 0.52), (0.72, 0.48), (0.48, 0.82)], _LEAF)
    pen.blob([(-0.02, 0.94), (-0.28, 0.58), (-0.72, 0.56), (-0.46, 0.88)], _LEAF)
    pen.polygon(_petals(0, y, r, pen.pick(9, 11)), pen.main)
    middle = r * pen.vary(0.42, 0.06)
    pen.ellipse(0, y, middle, middle, _SEEDS)
    for k in range(5):
        x, seed = _round(0, y, middle * 0.52, 72 * k)
        pen.ellipse(x, seed, 0.035, 0.035, (170, 116, 66), ink=False)


def cactus(pen: Pen) -> None:
    """A tall cactus with two raised arms, ribs and a flower on top."""
    w, left, right = pen.vary(0.27, 0.1), pen.vary(-0.36, 0.3), pen.vary(-0.12, 0.6)
    pen.limb([(0, 0.36), (-0.72, 0.36), (-0.72, left)], pen.main, 0.34, smooth=False)
    pen.limb([(0, 0.56), (0.72, 0.56), (0.72, right)], pen.main, 0.34, smooth=False)
    pen.polygon(
        [
            (-w, 0.96),
            (-w, -0.5),
            (-w * 0.8, -0.7),
            (-w * 0.35, -0.82),
            (w * 0.35, -0.82),
            (w * 0.8, -0.7),
            (w, -0.5),
            (w, 0.96),
        ],
        pen.main,
    )
    for x in (-w * 0.4, w * 0.4):
        pen.line([(x, -0.5), (x, 0.84)], pen.dark, 0.05)
    pen.line([(-0.72, left), (-0.72, 0.2)], pen.dark, 0.05)
    pen.line([(0.72, right), (0.72, 0.4)], pen.dark, 0.05)
    pen.ellipse(0, -0.84, 0.17, 0.12, pen.accent)


def mushroom(pen: Pen) -> None:
    """A toadstool: a wide spotted cap on a pale stem."""
    w, rim = pen.vary(0.94, 0.05), pen.vary(0.12, 0.4)
    stem = pen.vary(0.26, 0.2)
    pen.blob(
        [(-stem, 0), (stem, 0), (stem * 0.95, 0.5), (stem * 1.3, 0.92), (-stem * 1.3, 0.92), (-stem * 0.95, 0.5)],
        _CREAM,
    )
    pen.blob(
        [
            (-w, rim),
            (-w * 0.86, -0.42),
            (-w * 0.45, -0.84),
            (0, -0.96),
            (w * 0.45, -0.84),
            (w * 0.86, -0.42),
            (w, rim),
            (w * 0.5, rim + 0.14),
            (0, rim + 0.18),
            (-w * 0.5, rim + 0.14),
        ],
        pen.main,
    )
    for x, y, r in ((-0.5, -0.22, 0.17), (0.08, -0.6, 0.2), (0.58, -0.2, 0.16), (0.04, -0.02, 0.11)):
        pen.ellipse(x * w, y, pen.vary(r), pen.vary(r), pen.white, ink=False)


def sun(pen: Pen) -> None:
    """A smiling disc in a ring of pointed rays."""
    n, r = pen.pick(9, 12), pen.vary(0.58, 0.06)
    pen.polygon(_spikes(0, 0, 0.98, r * 0.98, n), pen.main)
    pen.ellipse(0, 0, r, r, pen.main)
    for x in (-r * 0.36, r * 0.36):
        pen.eye(x, -r * 0.16, 0.09)
        pen.ellipse(x * 1.65, r * 0.18, 0.09, 0.07, _BLUSH, ink=False)
    pen.line([(-r * 0.34, r * 0.3), (0, r * 0.52), (r * 0.34, r * 0.3)], pen.ink, 0.08, smooth=True)


def moon(pen: Pen) -> None:
    """A sleeping crescent, open to the right."""
    bite = pen.vary(0.64, 0.09)
    outer = [_round(0.06, 0, 0.96, a) for a in range(300, 59, -12)]
    inner = [_round(bite, 0, 0.83, a) for a in range(100, 261, 16)]
    pen.polygon([*outer, *inner], pen.main)
    pen.line([(-0.66, -0.18), (-0.54, -0.07), (-0.4, -0.16)], pen.ink, 0.08, smooth=True)
    pen.line([(-0.54, 0.36), (-0.42, 0.42), (-0.3, 0.34)], pen.ink, 0.08, smooth=True)
    pen.ellipse(-0.62, 0.15, 0.1, 0.08, _BLUSH, ink=False)


def star(pen: Pen) -> None:
    """A sharp five-pointed star, folded like paper."""
    inner, y = pen.vary(0.42, 0.1), 0.08
    pen.polygon(_spikes(0, y, 1.02, inner, 5), pen.main)
    folds = _spikes(0, y, 0.72, inner * 0.72, 5)
    for k in range(0, 10, 2):
        pen.polygon([(0, y), folds[k], folds[k + 1]], pen.light, ink=False)


def apple(pen: Pen) -> None:
    """An apple with a dip at the top, a stalk and a leaf."""
    w, h = pen.vary(0.88, 0.06), pen.vary(0.94, 0.03)
    pen.blob(
        [
            (0, -0.38),
            (w * 0.42, -0.54),
            (w * 0.88, -0.38),
            (w, 0.08),
            (w * 0.8, 0.62),
            (w * 0.38, h),
            (0, h - 0.12),
            (-w * 0.38, h),
            (-w * 0.8, 0.62),
            (-w, 0.08),
            (-w * 0.88, -0.38),
            (-w * 0.42, -0.54),
        ],
        pen.main,
    )
    pen.limb([(0, -0.3), (-0.02, -0.6), (-0.12, -0.88)], _BARK, 0.13)
    pen.blob([(0.02, -0.56), (0.2, -0.9), (pen.vary(0.66), -0.92), (0.42, -0.62)], _LEAF)
    pen.line([(-w * 0.72, 0.16), (-w * 0.7, -0.1), (-w * 0.5, -0.28)], pen.light, 0.12, smooth=True)


def pineapple(pen: Pen) -> None:
    """An oval fruit with a criss-cross skin under a tuft of spiky leaves."""
    w, top = pen.vary(0.6, 0.08), pen.vary(-0.3, 0.15)
    pen.polygon(
        [
            (-0.2, top + 0.1),
            (-0.62, -0.5),
            (-0.26, -0.46),
            (-0.36, -0.88),
            (-0.1, -0.62),
            (0, -0.98),
            (0.1, -0.62),
            (0.36, -0.88),
            (0.26, -0.46),
            (0.62, -0.5),
            (0.2, top + 0.1),
        ],
        _LEAF,
    )
    pen.polygon([(-0.14, top), (0, -0.6), (0.14, top)], _DEEP_LEAF, ink=False)
    y, h = (top + 0.95) / 2, (0.95 - top) / 2
    pen.ellipse(0, y, w, h, pen.main)
    for a, b in (((-0.94, -0.1), (0.1, 0.92)), ((-0.62, -0.66), (0.62, 0.66)), ((-0.1, -0.92), (0.94, 0.1))):
        pen.line([(a[0] * w, y + a[1] * h), (b[0] * w, y + b[1] * h)], pen.dark, 0.07)
        pen.line([(-a[0] * w, y + a[1] * h), (-b[0] * w, y + b[1] * h)], pen.dark, 0.07)


def banana(pen: Pen) -> None:
    """A curved banana lying on its back, with a stalk and a dark tip."""
    low, thick = pen.vary(0.62, 0.08), pen.vary(0.7, 0.06)
    pen.polygon([(0.62, -0.36), (0.74, -0.86), (0.96, -0.8), (0.93, -0.3)], _BARK)
    pen.blob(
        [
            (0.6, -0.46),
            (0.9, -0.42),
            (0.9, 0.06),
            (0.52, low * 0.86),
            (-0.1, low),
            (-0.64, low * 0.66),
            (-0.96, -0.06),
            (-0.86, -0.22),
            (-0.46, low - thick),
            (0, low - thick),
            (0.4, -0.14),
        ],
        pen.main,
    )
    pen.polygon([(-1.0, -0.12), (-0.88, -0.3), (-0.7, -0.16), (-0.86, 0.08)], _SEEDS)
    pen.line([(-0.66, 0.1), (-0.1, low - thick * 0.4), (0.46, low - thick * 0.6), (0.76, -0.3)], pen.dark, 0.06, True)


def _round(x: float, y: float, r: float, degrees: float) -> Point:
    angle = math.radians(degrees)
    return x + r * math.cos(angle), y + r * math.sin(angle)


def _spikes(x: float, y: float, outer: float, inner: float, n: int) -> list[Point]:
    """The corners of an `n`-pointed star about (x, y), the first one straight up."""
    return [_round(x, y, inner if k % 2 else outer, 180 * k / n - 90) for k in range(2 * n)]


def _scallops(n: int) -> list[Point]:
    """A round cloud of `n` bumps about the origin."""
    return [_round(0, 0, 1.0 if k % 3 else 0.88, 120 * k / n - 90) for k in range(3 * n)]


def _petals(x: float, y: float, r: float, n: int) -> list[Point]:
    """A ring of `n` slim petals about (x, y), each from notch to tip and back."""
    reach = (0.58, 0.78, 0.94, 1.0, 0.94, 0.78)
    return [_round(x, y, r * reach[k % 6], 60 * k / n - 90) for k in range(6 * n)]
