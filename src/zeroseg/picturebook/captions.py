"""Captions of scenes, and the image-caption pairs that the bundled teacher learns from."""

from __future__ import annotations

import math
from random import Random

import numpy as np
from PIL import Image

from zeroseg.picturebook.nouns import NOUNS
from zeroseg.picturebook.palette import COLOURS
from zeroseg.picturebook.scene import Scene, Thing, draw_scene
from zeroseg.picturebook.stuff import STUFF

Box = tuple[int, int, int, int]  # left, top, right, bottom: pixels

OPENINGS = ("a picture of", "a photo of", "a drawing of", "a scene with", "here is", "")
BEFORE_STUFF = ("on", "in front of", "and")
NOTHING = "something"  # what a crop without anything large shows
CROPS = 4  # a scene is drawn once and cropped this often: drawing costs more than cropping
SMALLEST_CROP = 20  # pixels of a 96-pixel scene


def caption(scene: Scene, box: Box, random: Random) -> str:
    """A caption of the crop: its things with or without their colour, sometimes with the stuff behind them.

    A thing is named if the crop shows at least a fifth of its visible pixels and it fills a 25th of the
    crop, or if it fills a fifth of the crop. Sometimes synonyms are used.
    """
    left, top, right, bottom = box
    shown = np.bincount(scene.instances[top:bottom, left:right].ravel(), minlength=len(scene.contents))
    whole = np.bincount(scene.instances.ravel(), minlength=len(scene.contents))
    area = (right - left) * (bottom - top)
    things: list[tuple[int, str]] = []
    stuff: list[tuple[int, str]] = []
    for k, content in enumerate(scene.contents):
        fraction = shown[k] / area
        if isinstance(content, Thing):
            if fraction > 0.2 or (fraction > 0.04 and shown[k] > 0.2 * whole[k]):
                things.append((int(shown[k]), _thing_words(content, random)))
        elif fraction > 0.2:
            stuff.append((int(shown[k]), _word(content.name, content.synonyms, random)))
    opening = OPENINGS[int(random.random() * len(OPENINGS))]
    background = " and ".join(word for _, word in sorted(stuff, reverse=True))
    if not things:
        return f"{opening} {background or NOTHING}".strip()
    random.shuffle(things)
    words = " and ".join(word for _, word in things)
    preposition = BEFORE_STUFF[int(random.random() * 3)]
    behind = f" {preposition} {background}" if background and random.random() < 0.6 else ""
    return f"{opening} {words}{behind}".strip()


def caption_words() -> list[str]:
    """All words that captions may have, sorted."""
    named = [*NOUNS, *COLOURS, *STUFF]
    texts = [*OPENINGS, *BEFORE_STUFF, NOTHING, "a an and"]
    texts += [word for one in named for word in (one.name, *one.synonyms)]
    return sorted({word for text in texts for word in text.split()})


def _thing_words(thing: Thing, random: Random) -> str:
    word = _word(thing.noun.name, thing.noun.synonyms, random)
    coloured = random.random() < 0.6
    words = f"{_word(thing.colour.name, thing.colour.synonyms, random)} {word}" if coloured else word
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def _word(name: str, synonyms: tuple[str, ...], random: Random) -> str:
    if synonyms and random.random() < 0.2:
        return synonyms[int(random.random() * len(synonyms))]
    return name


class PicturebookPairs:
    """Image-caption pairs of the split "teacher", drawn when they are used: `CROPS` crops of every scene.

    Crop sides are log-uniform between a fifth of the scene and all of it; half of the crops are around a thing.
    """

    def __init__(self, scenes: int, size: int) -> None:
        """`scenes`: the number of scenes before they repeat. `size`: side of the images, pixels."""
        self._scenes, self._size = scenes, size

    def __len__(self) -> int:
        return self._scenes

    def captions(self) -> list[str]:
        """A few thousand captions, to train a tokenizer on."""
        return [text for index in range(min(self._scenes, 1500)) for _, text in self.pairs(index, Random(index))]

    def words(self) -> set[str]:
        """All words that captions may have; `captions` may lack rare ones."""
        return set(caption_words())

    def pairs(self, index: int, random: Random) -> list[tuple[Image.Image, str]]:
        """The pairs of scene `index`; `random` chooses crops and words."""
        scene = draw_scene("teacher", index)
        boxes = [_crop_box(scene, random) for _ in range(CROPS)]
        shape = (self._size, self._size)
        return [
            (scene.image.resize(shape, Image.Resampling.BICUBIC, box=box), caption(scene, box, random)) for box in boxes
        ]


def _crop_box(scene: Scene, random: Random) -> Box:
    full = scene.image.width
    side = round(SMALLEST_CROP * math.exp(random.random() * math.log(full / SMALLEST_CROP)))
    things = [k for k, content in enumerate(scene.contents) if isinstance(content, Thing)]
    x, y = random.random() * (full - side), random.random() * (full - side)
    if random.random() < 0.5:
        rows, columns = np.nonzero(scene.instances == things[int(random.random() * len(things))])
        if len(rows):
            x = float(columns.min() + columns.max()) / 2 + random.uniform(-0.2, 0.2) * side - side / 2
            y = float(rows.min() + rows.max()) / 2 + random.uniform(-0.2, 0.2) * side - side / 2
    left, top = (round(min(max(value, 0), full - side)) for value in (x, y))
    return left, top, left + side, top + side
