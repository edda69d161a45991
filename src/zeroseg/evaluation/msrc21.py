"""MSRC-21, photos of outdoor scenes, animals and things: 21 classes, or 15 of them with a background.

Two layouts are read. The prepared one has {validation,test}/{images/*.jpg, masks/*.png}; a mask's numbers are those in
`NUMBERS`. The original download, MSRC_ObjCategImageDatabase_v2, has Images/*.bmp and GroundTruth/*_GT.bmp with the
colours in `COLOURS`; a colour that is not in the table is void, as in published readers of these files.

591 images of about 320 x 213 pixels; in the order of their names the first, third ... are `validation` (296), the
others `test` (295). In a split they are ordered by their numbers in a scene, then by scene, so that its first images
show all classes. The lists of Shotton et al. 2006 (TextonBoost: 276 to train on, 59, and 256 to test on) are not
used: nothing is trained on these images, and 59 are too few to choose on.

Void pixels (black; many lie along edges) are ignored. So are horse and mountain, as in TextonBoost: they are too rare.
`msrc21` has the other 21 classes and no background. `msrc21-objects` has 15 of them, face and body among them (the two
parts of a person: the head, and the rest), and makes building, grass, tree, sky, water and road the background.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from jaxtyping import Int32, UInt16

from zeroseg.errors import DatasetError, ImageError
from zeroseg.evaluation.class_names import ClassNames, read_table
from zeroseg.evaluation.download import Download
from zeroseg.evaluation.labelled_images import Item, LabelledImages, masked_items
from zeroseg.evaluation.masks import Numbering
from zeroseg.images import load_image
from zeroseg.segmentation import IGNORE

N = TypeVar("N", int, Int32[np.ndarray, "H W"])

REMEDY = "docs/datasets.md says where to get the data, and its two layouts"
EVERY_IMAGE = 591
IS_STUFF = frozenset({"building", "grass", "tree", "sky", "water", "road"})
VOID = "void"
COLOURS = {  # in the order of the numbers in prepared masks
    VOID: (0, 0, 0), "building": (128, 0, 0), "grass": (0, 128, 0), "tree": (128, 128, 0), "cow": (0, 0, 128),
    "horse": (128, 0, 128), "sheep": (0, 128, 128), "sky": (128, 128, 128), "mountain": (64, 0, 0),
    "aeroplane": (192, 0, 0), "water": (64, 128, 0), "face": (192, 128, 0), "car": (64, 0, 128),
    "bicycle": (192, 0, 128), "flower": (64, 128, 128), "sign": (192, 128, 128), "bird": (0, 64, 0),
    "book": (128, 64, 0), "chair": (0, 192, 0), "road": (128, 64, 128), "cat": (0, 192, 128), "dog": (128, 192, 128),
    "body": (64, 64, 0), "boat": (192, 64, 0),
}  # fmt: skip
NUMBERS = {name: number for number, name in enumerate(COLOURS)}


def open_msrc21(folder: Path, split: str = "test", size: int | None = None, objects: bool = False) -> LabelledImages:
    """The split's first `size` images, or all. `objects`: 15 classes and background. Raises `DatasetError`."""
    name = "msrc21-objects" if objects else "msrc21"
    given, names = Download(name, folder, REMEDY), _names(objects)
    classes = _classes(names, objects)
    original = next((place for place in ("", "MSRC_ObjCategImageDatabase_v2") if _is_original(folder / place)), None)
    if original is not None:
        items = _original(given.within("Images", original), split, size, classes)
    else:
        items = _prepared(given.within(split, "", "msrc21"), split, size, classes)
    return LabelledImages(name, names, objects, items)


def _names(objects: bool) -> ClassNames:
    every = read_table("msrc21")
    return every.only([name for name in every.names if name not in IS_STUFF]) if objects else every


def _classes(names: ClassNames, objects: bool) -> dict[str, int]:
    """The class id of every name in `COLOURS`."""
    places = {name: place for place, name in enumerate(names.names, start=int(objects))}
    stuff = dict.fromkeys(IS_STUFF, 0) if objects else {}
    return {name: (stuff | places).get(name, IGNORE) for name in COLOURS}


def _prepared(root: Download, split: str, size: int | None, classes: Mapping[str, int]) -> list[Item]:
    images, masks = root.files(".jpg", f"{split}/images"), root.files(".png", f"{split}/masks")
    pairs = root.pairs(sorted(images.keys() | masks.keys()), images, masks)
    numbering = Numbering({number: classes[name] for name, number in NUMBERS.items()})
    return masked_items(sorted(pairs, key=_turn)[:size], numbering)


def _is_original(folder: Path) -> bool:
    return (folder / "Images").is_dir() and (folder / "GroundTruth").is_dir()


def _original(root: Download, split: str, size: int | None, classes: Mapping[str, int]) -> list[Item]:
    images, masks = root.files(".bmp", "Images"), root.files("_GT.bmp", "GroundTruth")
    pairs = root.pairs(sorted(images.keys() | masks.keys()), images, masks)
    if len(pairs) != EVERY_IMAGE:
        raise DatasetError(
            f"{root.name}: {str(root.folder / 'Images')!r} has {len(pairs)} images, not {EVERY_IMAGE}: its splits "
            f"would be other ones; {root.remedy}."
        )
    own = sorted(pairs[split == "test" :: 2], key=_turn)[:size]
    numbering = Numbering({_code(*COLOURS[name]): number for name, number in classes.items()}, others=IGNORE)
    text = repr(numbering)
    return [Item(name, image, mask, partial(_read_colours, mask, numbering), text, True) for name, image, mask in own]


def _turn(pair: tuple[str, Path, Path]) -> tuple[list[int], str]:
    """The place of an image in the order of its split: of 12_3_s, the third image of scene 12, [3, 12]."""
    scene, *number = [int(digits) for digits in re.findall(r"\d+", pair[0])] or [0]
    return [*number, scene], pair[0]


def _read_colours(path: Path, numbering: Numbering) -> UInt16[np.ndarray, "H W"]:
    """The class of every pixel of a mask in colours. Raises `DatasetError` if it is not a picture."""
    try:
        colours = np.asarray(load_image(path), np.int32)
    except ImageError as error:
        raise DatasetError(str(error)) from error
    red, green, blue = colours.transpose(2, 0, 1)
    return numbering.class_map(_code(red, green, blue), path)


def _code(red: N, green: N, blue: N) -> N:
    """A colour as one number."""
    return (red * 256 + green) * 256 + blue
