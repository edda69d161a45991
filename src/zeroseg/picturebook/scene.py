"""Scenes: stuff in the background, one to six things in front of it, and the instance of every pixel.

`draw_scene(split, index)` is a pure function: the same arguments give the same scene on every machine.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from zeroseg.picturebook.nouns import NOUNS, Noun
from zeroseg.picturebook.palette import COLOURS, INK, WHITE, Colour, mix
from zeroseg.picturebook.pen import Page, Pen, Pose
from zeroseg.picturebook.stuff import STUFF, VARIANTS, Stuff, tile

SIDE = 96  # pixels: the bundled networks are trained on this size
SUPERSAMPLING = 4
SPLITS = ("teacher", "unlabelled", "validation", "held-out")


@dataclass(frozen=True)
class Thing:
    """An object of a scene: its noun and its colour."""

    noun: Noun
    colour: Colour


@dataclass(frozen=True)
class Scene:
    """A drawn scene.

    `image` is RGB; `instances` (uint8, H W) says what each pixel shows: an index into `contents`,
    which lists the stuff first and the things from back to front.
    """

    image: Image.Image
    instances: NDArray[np.uint8]
    contents: tuple[Stuff | Thing, ...]

    def class_map(self, names: Sequence[str], missing: int) -> NDArray[np.uint8]:
        """Class ids (H W): the index of each pixel's noun or stuff in `names`, or `missing` if it is not in `names`."""
        places = {name: place for place, name in enumerate(names)}
        ids = [places.get(name_of(content), missing) for content in self.contents]
        return np.array(ids, dtype=np.uint8)[self.instances]


def name_of(content: Stuff | Thing) -> str:
    """The class name of something in a scene."""
    return content.noun.name if isinstance(content, Thing) else content.name


def is_reserved(noun: Noun, colour: Colour) -> bool:
    """Whether this pair is in no teacher caption, to test open vocabulary: one colour for each noun."""
    return (NOUNS.index(noun) * 7 + 3) % len(COLOURS) == COLOURS.index(colour)


def draw_scene(split: str, index: int, nouns: Sequence[Noun] = NOUNS, side: int = SIDE) -> Scene:
    """Scene number `index` of a split, `side` pixels wide and high, with things from `nouns` only.

    Only the split "teacher" leaves reserved noun-colour pairs out. A larger `side` gives the same drawing
    with more pixels.
    """
    random = Random(f"{split}:{index}")
    page = Page(side * SUPERSAMPLING)
    contents: list[Stuff | Thing] = [*_lay_stuff(page, random)]
    close_up = random.random() < 0.15
    count = 1 if close_up else 2 + int(random.random() * 5)
    for x, y, half in _layout(count, close_up, random):
        thing = _choose_thing(nouns, split == "teacher", random)
        _draw_thing(page, len(contents), thing, (x, y, half), random)
        contents.append(thing)
    offset = SUPERSAMPLING // 2
    instances = np.asarray(page.instances)[offset::SUPERSAMPLING, offset::SUPERSAMPLING].copy()
    return Scene(page.image.reduce(SUPERSAMPLING), instances, tuple(contents))


def _lay_stuff(page: Page, random: Random) -> list[Stuff]:
    """Fill the page: one stuff everywhere, or one above and one below a wavy horizon."""
    side = page.image.width
    above = [s for s in STUFF if "above" in s.places]
    below = [s for s in STUFF if "below" in s.places]
    if random.random() < 0.4:
        stuff = STUFF[int(random.random() * len(STUFF))]
        page.image.paste(_cut(stuff, side, random))
        return [stuff]
    upper = above[int(random.random() * len(above))]
    lower = below[int(random.random() * len(below))]
    if lower is upper:
        lower = below[(below.index(lower) + 1) % len(below)]
    page.image.paste(_cut(upper, side, random))
    horizon = side * random.uniform(0.3, 0.7)
    swell, phase = side * random.uniform(0, 0.05), random.random() * 6
    edge = [(side * k // 12, round(horizon + swell * math.sin(k * 0.7 + phase))) for k in range(13)]
    mask = Image.new("1", (side, side))
    ImageDraw.Draw(mask).polygon([*edge, (side, side), (0, side)], fill=1)
    page.image.paste(_cut(lower, side, random), mask=mask)
    page.on_instances.polygon([*edge, (side, side), (0, side)], fill=1)
    return [upper, lower]


def _cut(stuff: Stuff, side: int, random: Random) -> Image.Image:
    texture = tile(stuff, int(random.random() * VARIANTS), side)
    room = texture.width - side
    left, top = int(random.random() * room), int(random.random() * room)
    return texture.crop((left, top, left + side, top + side))


def _layout(count: int, close_up: bool, random: Random) -> list[tuple[float, float, float]]:
    """(x, y, half side) of every thing, in page widths: spread out, so that no large area stays empty."""
    if close_up:
        return [(random.uniform(0.4, 0.6), random.uniform(0.4, 0.6), random.uniform(0.42, 0.62))]
    middle = 0.46 / math.sqrt(count)
    placed: list[tuple[float, float, float]] = []
    for _ in range(count):
        half = middle * random.uniform(0.75, 1.35)
        candidates = [(random.uniform(0.1, 0.9), random.uniform(0.1, 0.9), half) for _ in range(8)]
        placed.append(max(candidates, key=lambda c: min((_gap(c, p) for p in placed), default=0.0)))
    return placed


def _gap(one: tuple[float, float, float], other: tuple[float, float, float]) -> float:
    return math.hypot(one[0] - other[0], one[1] - other[1]) - one[2] - other[2]


def _choose_thing(nouns: Sequence[Noun], keep_reserved_out: bool, random: Random) -> Thing:
    while True:
        noun = nouns[int(random.random() * len(nouns))]
        colour = COLOURS[int(random.random() * len(COLOURS))]
        if not (keep_reserved_out and is_reserved(noun, colour)):
            return Thing(noun, colour)


def _draw_thing(page: Page, instance: int, thing: Thing, place: tuple[float, float, float], random: Random) -> None:
    side = page.image.width
    x, y, half = (value * side for value in place)
    stretch = random.uniform(0.88, 1.14)
    pose = Pose(x, y, half * stretch, half / stretch, random.gauss(0.0, 0.16), random.random() < 0.5)
    hue = tuple(min(255, max(0, round(c + random.uniform(-14, 14)))) for c in thing.colour.rgb)
    colour = (hue[0], hue[1], hue[2])
    accent = COLOURS[int(random.random() * len(COLOURS))].rgb
    page.on_main.rectangle((0, 0, side, side), fill=0)
    thing.noun.draw(Pen(page, instance, colour, accent, pose, random))
    if random.random() < 0.4:
        _pattern(page, colour, pose, random)


def _pattern(page: Page, colour: tuple[int, int, int], pose: Pose, random: Random) -> None:
    """Stripes, dots or a check in a shade of the main colour, wherever the last thing shows that colour."""
    reach = round(1.3 * max(pose.half_width, pose.half_height))
    left, top = round(pose.x) - reach, round(pose.y) - reach
    extent = 2 * reach
    shade = mix(colour, WHITE if random.random() < 0.5 else INK, 0.22)
    mask = Image.new("1", (extent, extent))
    draw = ImageDraw.Draw(mask)
    step = max(4, round(extent * random.uniform(0.08, 0.14)))
    kind = int(random.random() * 3)
    for k in range(0, extent, step):
        if kind < 2:
            draw.rectangle((k, 0, k + step // 2, extent), fill=1)
        if kind == 1:
            draw.rectangle((0, k, extent, k + step // 3), fill=1)
        if kind == 2:
            for m in range((k // step % 2) * step // 2, extent, step):
                draw.ellipse((k, m, k + step // 2, m + step // 2), fill=1)
    shown = page.main.crop((left, top, left + extent, top + extent))
    page.image.paste(shade, (left, top, left + extent, top + extent), _both(mask, shown))


def _both(one: Image.Image, other: Image.Image) -> Image.Image:
    both = Image.new("1", one.size)
    both.paste(one, mask=other)
    return both
