"""Made things: vehicles, buildings and household objects, each drawn in its own square (see `pen`)."""

from __future__ import annotations

import math

from zeroseg.picturebook.palette import RGB
from zeroseg.picturebook.pen import Pen, Point

GLASS: RGB = (196, 230, 244)
GLOW: RGB = (255, 224, 96)
FLAME: RGB = (250, 138, 40)
WOOD: RGB = (160, 108, 62)
STONE: RGB = (128, 126, 132)


def car(pen: Pen) -> None:
    """A small car in profile, driving left: long low body, domed cabin, two big wheels."""
    roof, back, r = pen.vary(-0.6), pen.vary(0.5), pen.vary(0.27, 0.08)
    edge, pane = roof * 0.85, roof * 0.78
    cabin = [(-0.52, -0.08), (-0.3, edge), (-0.12, roof), (back * 0.6, roof), (back * 0.9, edge)]
    pen.polygon([*cabin, (back + 0.2, -0.08)], pen.main)
    pen.polygon([(-0.38, -0.1), (-0.2, pane), (0.0, pane), (0.0, -0.1)], GLASS, ink=False)
    rear = [(0.1, -0.1), (0.1, pane), (back * 0.75, pane), (back + 0.04, -0.1)]
    pen.polygon(rear, GLASS, ink=False)
    bonnet = [(-0.95, 0.42), (-0.97, 0.12), (-0.84, -0.04), (-0.5, -0.12)]
    pen.polygon([*bonnet, (0.78, -0.12), (0.95, 0.0), (0.96, 0.42)], pen.main)
    pen.rectangle(-0.9, 0.27, 0.92, 0.37, pen.dark, ink=False)
    pen.rectangle(0.12, 0.02, 0.28, 0.08, pen.ink, ink=False)
    pen.ellipse(-0.83, 0.12, 0.09, 0.09, GLOW)
    _wheel(pen, -0.53, 0.4, r)
    _wheel(pen, 0.54, 0.4, r)


def bus(pen: Pen) -> None:
    """A long bus in profile, driving left: a tall box with a row of square windows."""
    top, r, count = pen.vary(-0.66, 0.1), pen.vary(0.17, 0.1), pen.pick(4, 5)
    pen.polygon([(-0.97, 0.5), (-0.97, top + 0.14), (-0.87, top), (0.9, top), (0.97, top + 0.1), (0.97, 0.5)], pen.main)
    step = 1.86 / count
    for k in range(count):
        x = -0.93 + k * step
        pen.rectangle(x + 0.04, top + 0.15, x + step - 0.05, top + 0.54, GLASS, ink=k > 0)
    pen.rectangle(-0.93, 0.12, 0.93, 0.22, pen.white, ink=False)
    pen.rectangle(-0.95, 0.39, 0.95, 0.46, pen.dark, ink=False)
    pen.ellipse(-0.88, 0.32, 0.06, 0.06, GLOW, ink=False)
    _wheel(pen, -0.56, 0.5, r)
    _wheel(pen, 0.56, 0.5, r)


def train(pen: Pen) -> None:
    """A steam locomotive in profile, running left: boiler, flared funnel, cab and many wheels."""
    funnel, cab = pen.vary(0.2), pen.vary(-0.74, 0.08)
    pen.blob([(-0.62, -0.88), (-0.36, -0.97), (-0.08, -0.86), (-0.22, -0.74), (-0.5, -0.72)], pen.white)
    pen.polygon([(-0.66, -0.1), (-0.6 - funnel, -0.62), (-0.48 + funnel, -0.62), (-0.42, -0.1)], pen.dark)
    pen.ellipse(0.0, -0.24, 0.15, 0.18, pen.accent)
    pen.rectangle(0.28, cab, 0.9, 0.4, pen.main)
    pen.rectangle(0.42, cab + 0.16, 0.76, cab + 0.5, GLASS)
    pen.polygon([(0.16, cab), (0.24, cab - 0.14), (0.93, cab - 0.14), (0.98, cab)], pen.dark)
    pen.polygon([(-0.86, 0.4), (-0.86, -0.08), (-0.78, -0.2), (0.3, -0.2), (0.3, 0.4)], pen.main)
    pen.rectangle(-0.36, -0.18, -0.26, 0.38, pen.accent, ink=False)
    pen.polygon([(-0.98, 0.78), (-0.84, 0.34), (-0.6, 0.34), (-0.6, 0.78)], pen.accent)
    _wheel(pen, -0.44, 0.6, 0.2)
    _wheel(pen, -0.02, 0.6, 0.2)
    _wheel(pen, 0.58, 0.48, pen.vary(0.34, 0.06))


def boat(pen: Pen) -> None:
    """A sailing boat: a hull with a mast, a tall mainsail, a smaller foresail and a pennant."""
    deck, boom = pen.vary(0.42, 0.08), pen.vary(0.72, 0.1)
    pen.line([(-0.08, -0.95), (-0.08, deck)], WOOD, 0.09)
    pen.polygon([(-0.08, -0.97), (0.22, -0.88), (-0.08, -0.78)], pen.accent, ink=False)
    pen.polygon([(-0.02, -0.74), (boom * 0.72, -0.22), (boom, deck - 0.12), (-0.02, deck - 0.12)], pen.main)
    pen.polygon([(-0.16, -0.7), (-0.16, deck - 0.12), (-boom, deck - 0.12), (-boom * 0.6, -0.16)], pen.white)
    hull = [(-0.97, deck), (0.97, deck), (0.82, 0.74), (0.6, 0.93), (-0.6, 0.93), (-0.8, 0.74)]
    pen.polygon(hull, pen.main)
    pen.polygon(
        [(-0.92, deck + 0.05), (0.92, deck + 0.05), (0.87, deck + 0.16), (-0.88, deck + 0.16)], pen.light, ink=False
    )
    if pen.pick(0, 1):
        pen.line([(0.04, deck - 0.42), (boom * 0.84, deck - 0.42)], pen.light, 0.08)


def rocket(pen: Pen) -> None:
    """A rocket taking off: a pointed body with a porthole, two side fins and a flame."""
    w, tail = pen.vary(0.4), pen.vary(0.5, 0.08)
    pen.blob(_both_sides([(0.0, 0.97), (0.2, 0.76), (0.26, tail)]), FLAME)
    pen.blob([(-0.12, tail), (0.12, tail), (0.0, 0.8)], GLOW, ink=False)
    for x in (-1, 1):
        fin = [(x * w * 0.8, 0.0), (x * 0.72, 0.4), (x * 0.74, 0.78), (x * 0.2, tail)]
        pen.polygon(fin, pen.accent)
    body = [(0.0, -0.97), (w * 0.66, -0.55), (w, -0.2), (w, 0.12), (w * 0.7, tail + 0.06)]
    pen.polygon(_both_sides(body), pen.main)
    pen.polygon([(-w * 0.6, -0.56), (0.0, -0.92), (w * 0.6, -0.56)], pen.accent, ink=False)
    pen.ellipse(0.0, -0.18, w * 0.56, w * 0.56, pen.ink, ink=False)
    pen.ellipse(0.0, -0.18, w * 0.38, w * 0.38, GLASS, ink=False)
    pen.rectangle(-w * 0.62, tail - 0.12, w * 0.62, tail, pen.dark, ink=False)


def airplane(pen: Pen) -> None:
    """An airliner seen from above, flying left: long fuselage, swept wings and tail planes."""
    r, tip = pen.vary(0.17), pen.vary(0.44)
    for y in (-1, 1):
        pen.ellipse(-0.06, y * 0.46, 0.14, 0.09, pen.dark)
        wing = [(-0.3, y * 0.1), (tip - 0.1, y * 0.93), (tip + 0.14, y * 0.93), (0.22, y * 0.1)]
        mark = [(tip - 0.24, y * 0.76), (tip - 0.1, y * 0.9), (tip + 0.1, y * 0.9), (tip + 0.04, y * 0.76)]
        tail = [(0.6, y * 0.05), (0.82, y * 0.42), (0.97, y * 0.42), (0.92, y * 0.05)]
        pen.polygon(wing, pen.main)
        pen.polygon(mark, pen.accent, ink=False)
        pen.polygon(tail, pen.main)
    tube = [(-0.97, 0.0), (-0.8, -r), (0.3, -r), (0.94, -0.05), (0.94, 0.05), (0.3, r), (-0.8, r)]
    pen.blob(tube, pen.main)
    h = r * 0.7
    cockpit = [(-0.86, 0.0), (-0.78, -h), (-0.66, -h), (-0.7, 0.0), (-0.66, h), (-0.78, h)]
    pen.polygon(cockpit, GLASS, ink=False)
    pen.line([(-0.5, 0.0), (0.5, 0.0)], pen.white, 0.07)
    pen.line([(0.62, 0.0), (0.97, 0.0)], pen.ink, 0.08)


def house(pen: Pen) -> None:
    """A cottage: coloured walls, a pitched roof with a chimney, a door and windows."""
    eaves, w, door = pen.vary(-0.24, 0.2), pen.vary(0.76, 0.06), 0.03 * pen.pick(-2, 2)
    pen.rectangle(0.4, -0.9, 0.64, -0.3, STONE)
    pen.rectangle(-w, eaves - 0.1, w, 0.95, pen.main)
    pen.polygon([(-w - 0.2, eaves), (0.0, -0.97), (w + 0.2, eaves)], pen.accent)
    pen.line([(-w - 0.05, eaves - 0.08), (w + 0.05, eaves - 0.08)], pen.ink, 0.04)
    pen.rectangle(door - 0.18, 0.34, door + 0.18, 0.95, WOOD)
    pen.ellipse(door + 0.08, 0.68, 0.04, 0.04, GLOW, ink=False)
    for x in (-w * 0.66, w * 0.66):
        pen.rectangle(x - 0.16, 0.06, x + 0.16, 0.42, GLASS)
        pen.line([(x, 0.08), (x, 0.4)], pen.ink, 0.04)


def lighthouse(pen: Pen) -> None:
    """A lighthouse: a tall tapering banded tower on a rock, with a gallery and a lit lamp room."""
    foot, top = pen.vary(0.42), pen.vary(0.22)
    pen.blob([(-0.72, 0.95), (-0.5, 0.72), (0.0, 0.64), (0.5, 0.72), (0.74, 0.95)], STONE)
    tower = [(-top, -0.45), (top, -0.45), (foot, 0.84), (-foot, 0.84)]
    pen.polygon(tower, pen.main)
    for y in (-0.2, 0.3):
        a, b = (top + (foot - top) * (v + 0.45) / 1.29 - 0.03 for v in (y, y + 0.2))
        pen.polygon([(-a, y), (a, y), (b, y + 0.2), (-b, y + 0.2)], pen.white, ink=False)
    pen.rectangle(-0.08, 0.62, 0.08, 0.82, pen.ink, ink=False)
    pen.rectangle(-top * 0.75, -0.74, top * 0.75, -0.46, GLOW)
    pen.rectangle(-top - 0.12, -0.52, top + 0.12, -0.42, pen.dark)
    pen.polygon([(-top - 0.04, -0.72), (0.0, -0.97), (top + 0.04, -0.72)], pen.main)


def chair(pen: Pen) -> None:
    """A wooden chair seen from the front corner: an open back with a slat or a rail, a seat and four legs."""
    seat, top, shift = pen.vary(0.14, 0.3), pen.vary(-0.88, 0.06), pen.vary(0.26, 0.2)
    left, right = -0.68, 0.44
    for x in (left + 0.1, right - 0.1):
        pen.limb([(x, top), (x, 0.7)], pen.dark, 0.16, smooth=False)
    for x in (left + shift + 0.08, right + shift - 0.14):
        pen.limb([(x, seat + 0.2), (x, 0.9)], pen.main, 0.18, smooth=False)
    slat, rail = [(-0.12, top + 0.3), (-0.12, seat)], [(left + 0.1, seat - 0.3), (right - 0.1, seat - 0.3)]
    pen.limb(slat if pen.pick(0, 1) else rail, pen.dark, 0.13, smooth=False)
    pen.rectangle(left, top, right, top + 0.4, pen.main)
    back, front = seat - 0.06, seat + 0.24
    pen.polygon([(left, back), (right, back), (right + shift, front), (left + shift, front)], pen.main)
    left, right, back, front = left + 0.1, right - 0.06, seat, seat + 0.16
    pen.polygon([(left, back), (right, back), (right + shift, front), (left + shift, front)], pen.light, ink=False)


def clock(pen: Pen) -> None:
    """An alarm clock: a round face with two hands, two bells on top and two feet."""
    r, hour, minute = pen.vary(0.7, 0.05), pen.vary(3.14, 1.0), pen.vary(3.14, 1.0)
    for side in (-1, 1):
        pen.polygon([(side * 0.3, 0.6), (side * 0.56, 0.5), (side * 0.7, 0.97), (side * 0.5, 0.97)], pen.dark)
        pen.ellipse(side * 0.5, -0.62, 0.34, 0.24, pen.accent, turn=side * 0.7)
    pen.ellipse(0.0, 0.14, r, r, pen.main)
    pen.ellipse(0.0, 0.14, r * 0.62, r * 0.62, pen.white)
    pen.line([(0.0, 0.14), (0.3 * math.sin(hour), 0.14 - 0.3 * math.cos(hour))], pen.ink, 0.1)
    pen.line([(0.0, 0.14), (0.38 * math.sin(minute), 0.14 - 0.38 * math.cos(minute))], pen.ink, 0.07)


def umbrella(pen: Pen) -> None:
    """An open umbrella: a wide scalloped canopy with ribs, a spike and a hooked handle."""
    top, rim = pen.vary(-0.8, 0.06), 0.08
    hook = [(0.0, 0.72), (0.05, 0.85), (0.17, 0.91), (0.29, 0.85), (0.34, 0.72)]
    pen.limb([(0.0, -0.1), *hook], WOOD, 0.14, smooth=False)
    pen.line([(0.0, -0.97), (0.0, top)], pen.ink, 0.09)
    dome = [(0.0, top), (0.5, top + 0.12), (0.85, -0.36), (0.97, rim)]
    hem = [(0.8, -0.08), (0.64, -0.1), (0.48, -0.07), (0.33, rim), (0.17, -0.08)]
    pen.polygon(_both_sides([*dome, *hem]), pen.main)
    panel = [(0.0, top + 0.05), (0.2, -0.4), (0.28, -0.03), (0.16, -0.11)]
    pen.polygon(_both_sides(panel), pen.light, ink=False)
    for x in (-1, 1):
        pen.line([(x * 0.04, top), (x * 0.25, -0.4), (x * 0.33, rim)], pen.ink, 0.05, smooth=True)


def balloon(pen: Pen) -> None:
    """A hot-air balloon: a big striped envelope, ropes and a wicker basket hanging free below."""
    w, neck = pen.vary(0.76, 0.08), pen.vary(0.42, 0.06)
    for x in (0.24, -0.24):
        pen.line([(x, neck - 0.1), (x * 0.67, 0.72)], pen.ink, 0.05)
    pen.rectangle(-0.22, 0.68, 0.22, 0.96, WOOD)
    right = [(0.0, -0.97), (w * 0.75, -0.76), (w, -0.3), (w * 0.72, 0.12), (0.26, neck)]
    pen.blob(_both_sides(right), pen.main)
    for side in (-1, 1):
        hem, x = neck - 0.04, side * w
        stripe = [(0.0, -0.9), (x * 0.62, -0.3), (side * 0.19, hem), (side * 0.1, hem), (x * 0.3, -0.3)]
        pen.blob(stripe, pen.accent, ink=False)
    pen.line([(-0.24, neck - 0.04), (0.24, neck - 0.04)], pen.ink, 0.08)


def _wheel(pen: Pen, x: float, y: float, r: float) -> None:
    pen.ellipse(x, y, r, r, pen.ink, ink=False)
    pen.ellipse(x, y, r * 0.42, r * 0.42, (214, 214, 220), ink=False)


def _both_sides(right: list[Point]) -> list[Point]:
    """A symmetrical outline: the right half, from its point on the axis on, and its mirror image."""
    return [*right, *((-x, y) for x, y in reversed(right[1:]))]
