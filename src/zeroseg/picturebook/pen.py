"""A pen that draws one object into a scene: colours and instance mask at once.

Noun functions draw in the object's own square: x runs right and y runs down, both from -1 to 1.
The pen rotates, flips, stretches and places that square on the page. All shapes are polygons with
whole-number corners, so that a seed gives the same page on every machine.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from PIL import Image, ImageDraw

from zeroseg.picturebook.palette import INK, RGB, WHITE, mix

Point = tuple[float, float]


@dataclass(frozen=True)
class Pose:
    """The place of an object's square on the page (supersampled pixels), and how it is transformed."""

    x: float
    y: float
    half_width: float
    half_height: float
    turn: float = 0.0  # radians, clockwise on the page
    mirrored: bool = False


class Page:
    """A page under the pen: colours, instance ids, and which pixels show the main colour of the last object."""

    def __init__(self, side: int) -> None:
        self.image = Image.new("RGB", (side, side))
        self.instances = Image.new("L", (side, side))
        self.main = Image.new("1", (side, side))
        self.on_image = ImageDraw.Draw(self.image)
        self.on_instances = ImageDraw.Draw(self.instances)
        self.on_main = ImageDraw.Draw(self.main)


class Pen:
    """Draws one object. `main` is its colour, `dark` and `light` are shades of it, `accent` is another colour.

    Shapes are filled and have an outline. Later shapes cover earlier ones.
    """

    def __init__(self, page: Page, instance: int, colour: RGB, accent: RGB, pose: Pose, random: Random) -> None:
        self._page = page
        self._instance = instance
        self._pose = pose
        self._random = random
        self._cos, self._sin = math.cos(pose.turn), math.sin(pose.turn)
        self._scale = (pose.half_width + pose.half_height) / 2
        self.ink_width = self._scale * random.uniform(0.05, 0.09)
        self.main = colour
        self.dark = mix(colour, INK, 0.32)
        self.light = mix(colour, WHITE, 0.5)
        self.accent = accent
        self.ink = INK
        self.white = WHITE

    def vary(self, middle: float, spread: float = 0.12) -> float:
        """`middle` times a random factor in 1 - spread .. 1 + spread: proportions that differ from object to object."""
        return middle * self._random.uniform(1 - spread, 1 + spread)

    def pick(self, low: int, high: int) -> int:
        """A random whole number, `low` and `high` included (how many petals, windows, spots)."""
        return low + int(self._random.random() * (high - low + 1))

    def polygon(self, points: Sequence[Point], fill: RGB, ink: bool = True) -> None:
        """A filled polygon; `ink=False` leaves out the outline (for marks inside a shape)."""
        placed = [self._place(p) for p in points]
        is_main = int(fill == self.main)
        self._page.on_image.polygon(placed, fill=fill)
        self._page.on_instances.polygon(placed, fill=self._instance)
        self._page.on_main.polygon(placed, fill=is_main)
        if ink:
            self._trace([*placed, placed[0], placed[1]], self.ink, self.ink_width, closed=True)

    def blob(self, points: Sequence[Point], fill: RGB, ink: bool = True) -> None:
        """A filled closed curve that passes smoothly through the points (Catmull-Rom)."""
        self.polygon(_smooth(points, closed=True), fill, ink)

    def ellipse(self, x: float, y: float, rx: float, ry: float, fill: RGB, ink: bool = True, turn: float = 0.0) -> None:
        """A filled ellipse about (x, y) with half-axes rx, ry, turned clockwise by `turn` radians."""
        self.polygon(_ellipse(x, y, rx, ry, turn), fill, ink)

    def rectangle(self, x0: float, y0: float, x1: float, y1: float, fill: RGB, ink: bool = True) -> None:
        """A filled rectangle between two corners."""
        self.polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], fill, ink)

    def line(self, points: Sequence[Point], colour: RGB, width: float, smooth: bool = False) -> None:
        """A stroke `width` wide (in the object's units, of which the square is 2 wide), without outline."""
        run = _smooth(points, closed=False) if smooth else list(points)
        self._trace([self._place(p) for p in run], colour, width * self._scale)

    def limb(self, points: Sequence[Point], fill: RGB, width: float, smooth: bool = True) -> None:
        """A stroke with an outline: legs, tails, stems, handles."""
        ink = self.ink_width / self._scale
        self.line(points, self.ink, width + ink, smooth)
        self.line(points, fill, max(width - ink, 0.02), smooth)

    def eye(self, x: float, y: float, r: float = 0.08) -> None:
        """A dark dot with a small light one."""
        self.ellipse(x, y, r, r, self.ink, ink=False)
        self.ellipse(x + r * 0.3, y - r * 0.35, r * 0.35, r * 0.35, self.white, ink=False)

    def _place(self, point: Point) -> tuple[int, int]:
        pose = self._pose
        x = (-point[0] if pose.mirrored else point[0]) * pose.half_width
        y = point[1] * pose.half_height
        return (round(pose.x + x * self._cos - y * self._sin), round(pose.y + x * self._sin + y * self._cos))

    def _trace(self, placed: Sequence[tuple[int, int]], colour: RGB, width: float, closed: bool = False) -> None:
        pixels = max(1, round(width))
        corners = list(placed)
        is_main = int(colour == self.main)
        rounded = "curve" if len(corners) < 12 or pixels > 9 else None  # thin fine runs show no gaps
        self._page.on_image.line(corners, fill=colour, width=pixels, joint=rounded)
        self._page.on_instances.line(corners, fill=self._instance, width=pixels, joint=rounded)
        self._page.on_main.line(corners, fill=is_main, width=pixels)
        r = pixels // 2
        if r > 2 and not closed:
            for x, y in (corners[0], corners[-1]):
                box = (x - r, y - r, x + r, y + r)
                self._page.on_image.ellipse(box, fill=colour)
                self._page.on_instances.ellipse(box, fill=self._instance)
                self._page.on_main.ellipse(box, fill=is_main)


def _ellipse(x: float, y: float, rx: float, ry: float, turn: float, corners: int = 22) -> list[Point]:
    cos, sin = math.cos(turn), math.sin(turn)
    points: list[Point] = []
    for k in range(corners):
        angle = 2 * math.pi * k / corners
        dx, dy = rx * math.cos(angle), ry * math.sin(angle)
        points.append((x + dx * cos - dy * sin, y + dx * sin + dy * cos))
    return points


def _smooth(points: Sequence[Point], closed: bool, steps: int = 4) -> list[Point]:
    """Catmull-Rom through the points, `steps` pieces between neighbours."""
    n = len(points)
    curve: list[Point] = []
    for k in range(n if closed else n - 1):
        a, b, c, d = (points[(k + o) % n] if closed else points[min(max(k + o, 0), n - 1)] for o in (-1, 0, 1, 2))
        for step in range(steps):
            t = step / steps
            wa, wb = -0.5 * t + t * t - 0.5 * t**3, 1 - 2.5 * t * t + 1.5 * t**3
            wc, wd = 0.5 * t + 2 * t * t - 1.5 * t**3, -0.5 * t * t + 0.5 * t**3
            curve.append((wa * a[0] + wb * b[0] + wc * c[0] + wd * d[0], wa * a[1] + wb * b[1] + wc * c[1] + wd * d[1]))
    if not closed:
        curve.append(points[-1])
    return curve
