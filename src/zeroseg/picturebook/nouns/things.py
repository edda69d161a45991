"""Everyday things: each function draws one object in its own square (see `pen`)."""

from __future__ import annotations

import math

from zeroseg.picturebook.palette import RGB
from zeroseg.picturebook.pen import Pen, Point

CARROT: RGB = (240, 130, 40)
CHERRY: RGB = (206, 34, 52)
FLAME: RGB = (255, 196, 48)
METAL: RGB = (170, 174, 182)
STEEL: RGB = (112, 116, 126)
TWIG: RGB = (110, 72, 44)


def snowman(pen: Pen) -> None:
    """A snowman with top hat, scarf, carrot nose and twig arms."""
    r = pen.vary(0.56, 0.08)
    for side in (-1, 1):
        hand = pen.vary(-0.2, 0.9)
        pen.line([(side * 0.3, 0.2), (side * 0.92, hand)], TWIG, 0.09)
        pen.line([(side * 0.72, hand * 0.65 + 0.07), (side * 0.74, hand - 0.2)], TWIG, 0.07)
    _snowball(pen, 0.46, r, 0.5)
    _snowball(pen, -0.29, r * 0.72, 0.38)
    for y in (0.26, 0.46, 0.66):
        pen.ellipse(0, y, 0.065, 0.065, pen.ink, ink=False)
    pen.polygon([(0.1, 0), (0.36, -0.02), (0.44, 0.42), (0.2, 0.46)], pen.main)
    pen.blob([(-0.45, -0.1), (0, 0), (0.45, -0.1), (0.42, 0.1), (0, 0.19), (-0.42, 0.1)], pen.main)
    for x in (-0.15, 0.15):
        pen.ellipse(x, -0.38, 0.055, 0.06, pen.ink, ink=False)
    pen.polygon([(0, -0.34), (0.36, -0.2), (0, -0.19)], CARROT, ink=False)
    pen.rectangle(-0.3, -0.97, 0.3, -0.5, pen.main)
    pen.rectangle(-0.29, -0.68, 0.29, -0.57, pen.accent, ink=False)
    pen.rectangle(-0.5, -0.58, 0.5, -0.46, pen.main)


def _snowball(pen: Pen, y: float, rx: float, ry: float) -> None:
    pen.ellipse(0, y, rx, ry, pen.main)
    pen.ellipse(-rx * 0.1, y - ry * 0.08, rx * 0.82, ry * 0.84, pen.light, ink=False)


def light(pen: Pen) -> None:
    """A glowing light bulb with a grey screw base and short rays."""
    r = pen.vary(0.56, 0.07)
    for angle in (-2.75, -2.2, -1.57, -0.94, -0.39):
        cos, sin = math.cos(angle), math.sin(angle)
        pen.limb([(cos * 0.76, sin * 0.69 - 0.15), (cos * 0.96, sin * 0.84 - 0.13)], FLAME, 0.15, smooth=False)
    pen.ellipse(0, 0.86, 0.14, 0.11, pen.ink)
    neck, wide = pen.vary(0.25), r * 0.8
    pen.blob(
        [
            (-neck, 0.5),
            (-neck - 0.05, 0.33),
            (-r, -0.08),
            (-wide, -0.46),
            (0, -0.66),
            (wide, -0.46),
            (r, -0.08),
            (neck + 0.05, 0.33),
            (neck, 0.5),
        ],
        pen.main,
    )
    pen.line([(-0.16, 0.42), (-0.2, 0), (-0.07, 0.1), (0, -0.04), (0.07, 0.1), (0.2, 0), (0.16, 0.42)], pen.ink, 0.06)
    pen.line([(-r * 0.7, -0.08), (-r * 0.6, -0.33), (-r * 0.25, -0.5)], pen.white, 0.1, smooth=True)
    pen.rectangle(-0.27, 0.44, 0.27, 0.84, METAL)
    for y in (0.52, 0.66):
        pen.line([(-0.27, y + 0.08), (0.27, y)], STEEL, 0.07)


def ball(pen: Pen) -> None:
    """A beach ball with curved panels, or a toy ball with a stripe and a star."""
    pen.ellipse(0, 0, 0.95, 0.95, pen.main)
    if pen.pick(0, 2):
        x, y = pen.vary(-0.2, 0.4), pen.vary(-0.42)
        for start, fill in ((0.2, pen.white), (2.3, pen.accent), (4.4, pen.white)):
            _panel(pen, x, y, pen.vary(start, 0.06), fill)
        pen.ellipse(x, y, 0.17, 0.14, pen.white)
    else:
        band = pen.vary(0.3)
        low = [(0.92, 0.12), (0.5, band + 0.12), (0, band + 0.2), (-0.5, band + 0.12), (-0.92, 0.12)]
        high = [(-0.92, -0.2), (-0.5, -0.1), (0, -0.04), (0.5, -0.1), (0.92, -0.2)]
        pen.polygon([*high, *low], pen.accent)
        pen.line([(-0.6, -0.4), (-0.3, -0.68)], pen.white, 0.13)


def _panel(pen: Pen, x: float, y: float, start: float, fill: RGB) -> None:
    """A wedge from the pole (x, y) to the rim of the ball, its seams bent."""
    rim: list[Point] = [(math.cos(start + k * 0.27) * 0.94, math.sin(start + k * 0.27) * 0.94) for k in range(4)]
    bends: list[Point] = []
    for end_x, end_y in (rim[0], rim[-1]):
        dx, dy = end_x - x, end_y - y
        bends.append((x + dx * 0.5 + dy * 0.16, y + dy * 0.5 - dx * 0.16))
    pen.polygon([(x, y), bends[0], *rim, bends[1]], fill)


def shoe(pen: Pen) -> None:
    """A laced sneaker in profile, the toe to the left."""
    top = pen.vary(-0.62, 0.14)
    pen.blob([(0.05, top), (0.45, top + 0.12), (0.82, top - 0.04), (0.55, top + 0.3)], pen.dark)
    pen.polygon(
        [
            (-0.94, 0.5),
            (-0.95, 0.2),
            (-0.8, 0.02),
            (-0.5, -0.08),
            (-0.2, -0.28),
            (0.04, top),
            (0.2, top + 0.15),
            (0.5, top + 0.2),
            (0.84, top - 0.04),
            (0.84, -0.1),
            (0.93, 0.5),
        ],
        pen.main,
    )
    pen.polygon([(-0.93, 0.5), (-0.92, 0.2), (-0.78, 0.04), (-0.58, 0.12), (-0.46, 0.5)], pen.white, ink=False)
    pen.polygon([(0.62, 0.46), (0.6, 0.1), (0.83, 0), (0.9, 0.46)], pen.dark, ink=False)
    for k in range(3):
        x, y = -0.4 + k * 0.18, -0.12 + k * (top + 0.2) * 0.4
        pen.line([(x - 0.04, y - 0.06), (x + 0.2, y + 0.14)], pen.white, 0.1)
    pen.line([(-0.1, 0.38), (0.2, 0.16), (0.45, -0.1)], pen.accent, 0.14, smooth=True)
    pen.polygon([(-0.97, 0.46), (0.97, 0.46), (0.95, 0.74), (-0.88, 0.74)], pen.white)


def horseshoe(pen: Pen) -> None:
    """A U-shaped horseshoe with nail holes, open at the top."""
    w, gap = pen.vary(0.84, 0.07), pen.vary(0.4, 0.1)
    outer = [(-w * 0.74, -0.96), (-w * 0.94, -0.45), (-w, 0.05), (-w * 0.9, 0.46), (-w * 0.58, 0.8), (-w * 0.2, 0.95)]
    inner = [(-gap * 0.74, -0.88), (-gap, -0.4), (-gap * 1.05, 0), (-gap * 0.9, 0.26), (-gap * 0.45, 0.46)]
    left = [*outer, *((-x, y) for x, y in outer[::-1])]
    back = [*inner, *((-x, y) for x, y in inner[::-1])]
    pen.polygon([*left, *reversed(back)], pen.main)
    x = (w + gap) / 2
    groove = [(-x * 0.78, -0.62), (-x, -0.2), (-x * 0.95, 0.25), (-x * 0.58, 0.6), (0, 0.73)]
    pen.line([*groove, *((-gx, gy) for gx, gy in groove[-2::-1])], pen.dark, 0.12, smooth=True)
    for side in (-1, 1):
        for gx, gy in groove[:4]:
            pen.ellipse(gx * side, gy, 0.075, 0.075, pen.ink, ink=False)


def hat(pen: Pen) -> None:
    """A top hat, or a soft brimmed hat, with a band."""
    brim, y = pen.vary(0.93, 0.05), 0.62
    if pen.pick(0, 1):
        top, flare = pen.vary(-0.85, 0.1), pen.vary(0.62)
        pen.ellipse(0, y, brim, 0.25, pen.main)
        pen.polygon([(-flare, top), (flare, top), (0.5, y), (0.25, y + 0.09), (-0.25, y + 0.09), (-0.5, y)], pen.main)
        pen.ellipse(0, top, flare, 0.12, pen.dark)
    else:
        top = pen.vary(-0.55)
        pen.blob(
            [(-brim, y - 0.1), (-0.5, y - 0.1), (0.5, y - 0.1), (brim, y - 0.1), (0.5, 0.85), (-0.5, 0.85)], pen.main
        )
        pen.blob([(-0.52, y), (-0.5, -0.1), (-0.3, top), (0, top + 0.16), (0.3, top), (0.5, -0.1), (0.52, y)], pen.main)
        pen.line([(0, top + 0.2), (0.03, top + 0.45)], pen.dark, 0.08)
    pen.polygon([(-0.52, 0.24), (0, 0.33), (0.52, 0.24), (0.52, 0.56), (0, 0.67), (-0.52, 0.56)], pen.accent)


def cake(pen: Pen) -> None:
    """A two-tier layer cake with dripping icing and candles, on a plate."""
    wide, tall = pen.vary(0.8, 0.06), pen.vary(0.5, 0.1)
    candles = pen.pick(2, 3)
    for k in range(candles):
        x = (k - (candles - 1) / 2) * 0.34
        pen.rectangle(x - 0.065, -0.7, x + 0.065, -0.2, pen.accent)
        pen.blob([(x, -0.98), (x + 0.1, -0.76), (x, -0.67), (x - 0.1, -0.76)], FLAME)
    pen.ellipse(0, 0.84, 0.97, 0.13, pen.white)
    pen.rectangle(-wide, 0.2, wide, 0.84, pen.main)
    pen.rectangle(-wide + 0.04, 0.56, wide - 0.04, 0.66, pen.light, ink=False)
    _icing(pen, wide, 0.2, 5)
    pen.rectangle(-tall, -0.3, tall, 0.2, pen.main)
    _icing(pen, tall, -0.3, 3)


def _icing(pen: Pen, half: float, top: float, drips: int) -> None:
    """White icing over the edge of a tier: a slab with round drips of uneven length."""
    edge: list[Point] = []
    step = 2 * half / drips
    for k in range(drips):
        x, low = half + 0.04 - k * step, top + pen.vary(0.2, 0.25)
        edge += [(x, low - 0.08), (x - step * 0.35, low), (x - step * 0.65, low), (x - step * 0.95, top + 0.1)]
    pen.polygon([(-half - 0.04, top - 0.08), (half + 0.04, top - 0.08), *edge], pen.white)


def cup(pen: Pen) -> None:
    """A mug with a handle and rising steam."""
    w, foot = pen.vary(0.66, 0.06), pen.vary(0.56, 0.1)
    x = -0.32
    for sx in (x - 0.25, x + 0.25):
        pen.limb([(sx, -0.5), (sx + 0.1, -0.64), (sx - 0.06, -0.8), (sx + 0.06, -0.94)], pen.white, 0.15)
    grip = pen.vary(0.86, 0.06)
    pen.limb([(0.2, -0.14), (0.62, -0.14), (grip, 0.2), (0.62, 0.58), (0.15, 0.66)], pen.main, 0.22)
    pen.polygon(
        [
            (x - w, -0.28),
            (x + w, -0.28),
            (x + foot, 0.84),
            (x + foot - 0.12, 0.95),
            (x - foot + 0.12, 0.95),
            (x - foot, 0.84),
        ],
        pen.main,
    )
    pen.ellipse(x, -0.28, w, 0.15, pen.dark)
    pen.polygon(
        [(x - w * 0.94, 0.22), (x + w * 0.94, 0.22), (x + w * 0.9, 0.44), (x - w * 0.9, 0.44)], pen.accent, ink=False
    )


def cupcake(pen: Pen) -> None:
    """A cupcake: a pleated paper cup, swirled icing and a cherry."""
    foot, rim = pen.vary(0.46, 0.08), pen.vary(0.7, 0.06)
    pen.polygon([(-rim, 0.25), (rim, 0.25), (foot, 0.95), (-foot, 0.95)], pen.light)
    for k in (-0.6, -0.2, 0.2, 0.6):
        pen.line([(rim * k, 0.25), (foot * k, 0.92)], pen.dark, 0.09)
    for y, w in ((0.14, 0.9), (-0.18, 0.66), (-0.46, 0.4)):
        w = pen.vary(w, 0.05)
        pen.blob(
            [
                (-w, y + 0.06),
                (-w * 0.7, y - 0.2),
                (w * 0.7, y - 0.24),
                (w, y),
                (w * 0.7, y + 0.2),
                (-w * 0.7, y + 0.24),
            ],
            pen.main,
        )
    pen.line([(0.03, -0.8), (0.12, -0.92), (0.26, -0.97)], pen.ink, 0.06)
    pen.ellipse(0, -0.7, 0.18, 0.18, CHERRY)
