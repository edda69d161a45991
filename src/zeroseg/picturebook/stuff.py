"""The stuff of the picturebook: textures without a shape of their own, as tiles from which backgrounds are cut."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from random import Random

from PIL import Image, ImageDraw

from zeroseg.picturebook.palette import INK, RGB, WHITE, mix

VARIANTS = 4  # tiles of each kind: enough variation, and they fit into memory


class Sheet:
    """A tile that is being drawn. `unit` is a 96th of the page's side, so sizes do not depend on the resolution."""

    def __init__(self, side: int, unit: float, random: Random) -> None:
        self.side, self.unit, self.random = side, unit, random
        self.image = Image.new("RGB", (side, side))
        self.draw = ImageDraw.Draw(self.image)
        self._shade = random.uniform(-0.12, 0.12)

    def fill(self, colour: RGB) -> None:
        """Fill the tile with a colour, which is a little lighter or darker in each variant."""
        self.draw.rectangle((0, 0, self.side, self.side), fill=self.shade(colour))

    def shade(self, colour: RGB, spread: float = 0.0) -> RGB:
        """The colour with this variant's brightness, changed at random by up to `spread`."""
        light = self._shade + self.random.uniform(-spread, spread)
        return mix(colour, WHITE if light > 0 else INK, abs(light))

    def spot(self) -> tuple[float, float]:
        """A random place on the tile, pixels."""
        return self.random.random() * self.side, self.random.random() * self.side

    def scatter(self, every: float) -> range:
        """A range with one number for every square of `every` units a side."""
        return range(int((self.side / (every * self.unit)) ** 2))

    def stroke(self, points: list[tuple[float, float]], colour: RGB, width: float) -> None:
        """A line `width` units wide."""
        corners = [(round(x), round(y)) for x, y in points]
        self.draw.line(corners, fill=colour, width=max(1, round(width * self.unit)))

    def dot(self, x: float, y: float, rx: float, ry: float, colour: RGB) -> None:
        """An upright ellipse with half-axes in units."""
        rx, ry = rx * self.unit, ry * self.unit
        self.draw.ellipse((round(x - rx), round(y - ry), round(x + rx), round(y + ry)), fill=colour)


def _grass(sheet: Sheet) -> None:
    sheet.fill((120, 186, 88))
    for _ in sheet.scatter(5):
        x, y = sheet.spot()
        u = sheet.unit
        colour = sheet.shade((70, 142, 60), 0.15)
        for lean in (-1.2, 0.0, 1.2):
            sheet.stroke([(x, y), (x + lean * u, y - 3.2 * u)], colour, 0.7)


def _meadow(sheet: Sheet) -> None:
    _grass(sheet)
    for _ in sheet.scatter(8):
        x, y = sheet.spot()
        colour = ((252, 250, 244), (250, 214, 90), (240, 130, 170), (176, 136, 220))[int(sheet.random.random() * 4)]
        for k in range(4):
            angle = math.pi / 2 * k
            sheet.dot(x + math.cos(angle) * sheet.unit, y + math.sin(angle) * sheet.unit, 0.9, 0.9, colour)
        sheet.dot(x, y, 0.7, 0.7, (240, 170, 50))


def _sand(sheet: Sheet) -> None:
    sheet.fill((238, 212, 156))
    for _ in sheet.scatter(3):
        sheet.dot(*sheet.spot(), 0.45, 0.45, sheet.shade((198, 164, 108), 0.2))
    for _ in sheet.scatter(16):
        x, y = sheet.spot()
        u = sheet.unit
        sheet.stroke([(x, y), (x + 3 * u, y - u), (x + 7 * u, y)], sheet.shade((210, 176, 120)), 0.8)


def _water(sheet: Sheet) -> None:
    sheet.fill((96, 176, 220))
    u, rows = sheet.unit, int(sheet.side / (5 * sheet.unit))
    for row in range(rows + 1):
        phase = sheet.random.random() * 6
        colour = sheet.shade((62, 134, 196) if row % 2 else (180, 222, 240), 0.1)
        wave = [
            (x * 2.5 * u, row * 5 * u + 1.1 * u * math.sin(x * 0.9 + phase))
            for x in range(int(sheet.side / (2.5 * u)) + 2)
        ]
        sheet.stroke(wave, colour, 1.0)


def _snow(sheet: Sheet) -> None:
    sheet.fill((240, 244, 250))
    for _ in sheet.scatter(9):
        x, y = sheet.spot()
        sheet.dot(x, y, 4, 1.2, sheet.shade((212, 224, 240), 0.05))
    for _ in sheet.scatter(7):
        x, y = sheet.spot()
        u = 1.3 * sheet.unit
        colour = sheet.shade((150, 190, 230))
        sheet.stroke([(x - u, y), (x + u, y)], colour, 0.5)
        sheet.stroke([(x, y - u), (x, y + u)], colour, 0.5)


def _brick(sheet: Sheet) -> None:
    sheet.fill((222, 206, 190))
    u = sheet.unit
    high, wide = 5 * u, 10 * u
    for row in range(int(sheet.side / high) + 1):
        for column in range(-1, int(sheet.side / wide) + 1):
            x, y = column * wide + (row % 2) * wide / 2, row * high
            colour = sheet.shade((184, 96, 74), 0.15)
            sheet.draw.rectangle((round(x), round(y), round(x + wide - u), round(y + high - u)), fill=colour)


def _wood(sheet: Sheet) -> None:
    sheet.fill((196, 146, 94))
    u = sheet.unit
    high = 9 * u
    for row in range(int(sheet.side / high) + 1):
        y = row * high
        sheet.draw.rectangle((0, round(y), sheet.side, round(y + high)), fill=sheet.shade((196, 146, 94), 0.12))
        for k in (3, 6):
            phase = sheet.random.random() * 6
            grain = [
                (x * 6 * u, y + k * u + 0.6 * u * math.sin(x + phase)) for x in range(int(sheet.side / (6 * u)) + 2)
            ]
            sheet.stroke(grain, sheet.shade((160, 110, 66), 0.1), 0.5)
        sheet.stroke([(0, y), (sheet.side, y)], sheet.shade((112, 74, 44)), 0.9)


def _cobblestone(sheet: Sheet) -> None:
    sheet.fill((104, 102, 104))
    u = sheet.unit
    step = 7 * u
    for row in range(int(sheet.side / step) + 2):
        for column in range(-1, int(sheet.side / step) + 2):
            x = column * step + (row % 2) * step / 2 + sheet.random.uniform(-0.6, 0.6) * u
            y = row * step + sheet.random.uniform(-0.6, 0.6) * u
            sheet.dot(x, y, 3.2, 3.0, sheet.shade((172, 168, 166), 0.2))


def _sky(sheet: Sheet) -> None:
    sheet.fill((186, 222, 246))
    for _ in sheet.scatter(20):
        x, y = sheet.spot()
        for dx, dy, r in ((-4, 0.6, 2.6), (0, -0.8, 3.8), (4, 0.5, 2.8)):
            sheet.dot(x + dx * sheet.unit, y + dy * sheet.unit, r * 1.2, r * 0.8, (250, 252, 254))


def _night_sky(sheet: Sheet) -> None:
    sheet.fill((34, 40, 84))
    for _ in sheet.scatter(5):
        r = sheet.random.uniform(0.3, 0.8)
        sheet.dot(*sheet.spot(), r, r, sheet.shade((250, 240, 190), 0.1))


@dataclass(frozen=True)
class Stuff:
    """A kind of stuff: its name, other words, where it may be in a picture, and the function that draws it."""

    name: str
    synonyms: tuple[str, ...]
    places: tuple[str, ...]  # "above" and "below" a horizon
    paint: Callable[[Sheet], None]


STUFF: tuple[Stuff, ...] = (
    Stuff("grass", ("lawn",), ("below",), _grass),
    Stuff("meadow", (), ("below",), _meadow),
    Stuff("sand", ("beach",), ("below",), _sand),
    Stuff("water", ("sea",), ("above", "below"), _water),
    Stuff("snow", (), ("below",), _snow),
    Stuff("brick", ("brickwork",), ("above",), _brick),
    Stuff("wood", ("planks",), ("above", "below"), _wood),
    Stuff("cobblestone", ("pavement",), ("below",), _cobblestone),
    Stuff("sky", ("clouds",), ("above",), _sky),
    Stuff("night sky", ("starry sky",), ("above",), _night_sky),
)


@lru_cache(maxsize=len(STUFF) * VARIANTS)
def tile(stuff: Stuff, variant: int, page_side: int) -> Image.Image:
    """A square of the texture, 1.6 pages wide, the same on every call. `page_side`: supersampled pixels."""
    random = Random(f"{stuff.name}:{variant}")
    sheet = Sheet(round(page_side * 1.6), page_side / 96 * random.uniform(0.8, 1.3), random)
    stuff.paint(sheet)
    return sheet.image
