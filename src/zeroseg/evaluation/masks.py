"""Masks on disk: pictures whose numbers stand for classes.

Letters: H W pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Integer, UInt16

from zeroseg.errors import DatasetError, ImageError
from zeroseg.images import load_label_map
from zeroseg.segmentation import IGNORE

VOID = 255  # the number that stands for nothing in the masks of most benchmarks
LARGEST_NUMBER = 65_535  # of a PNG's pixel
Fit = Literal["stored", "upright"]


@dataclass(frozen=True)
class MaskOptions:
    """What somebody says of masks of their own.

    `ignore`: numbers (of COCO's JSON the ids of categories) whose pixels count for nothing, and which are no classes;
    None for what the kind of data set ignores by itself. `fit`: which form of a picture that EXIF turns or mirrors its
    mask belongs to, the pixels as they are stored or the upright picture; None where the files are to tell
    (`labelled_images`).
    """

    ignore: tuple[int, ...] | None = None
    fit: Fit | None = None

    def __post_init__(self) -> None:
        """Raises `DatasetError` for a number that no mask can hold."""
        outside = [number for number in self.ignore or () if not 0 <= number <= LARGEST_NUMBER]
        if outside:
            raise DatasetError(f"masks hold numbers from 0 to {LARGEST_NUMBER:,}: {outside[0]} cannot be ignored.")


@dataclass(frozen=True)
class Numbering:
    """Which class a mask's number stands for; `others` is the class of numbers without an entry, None refuses them."""

    classes: Mapping[int, int]
    others: int | None = None

    def class_map(self, numbers: Integer[np.ndarray, "H W"], path: Path) -> UInt16[np.ndarray, "H W"]:
        """The class of every pixel. Raises `DatasetError`, which names `path`, for a number that stands for none."""
        found, places = np.unique(numbers, return_inverse=True)
        classes = [self.classes.get(int(number), self.others) for number in found]
        if None in classes:
            number = found[classes.index(None)]
            raise DatasetError(
                f"{str(path)!r} holds the number {number}, which stands for no class of this data set: "
                "check that it is the right kind of mask."
            )
        return np.array(classes, np.uint16)[places].reshape(numbers.shape)


def counted_from_one(count: int, background: bool) -> Numbering:
    """The usual masks: 0 is the background (ignored where that is no class), classes count from 1, 255 is ignored."""
    classes = {number: number - (not background) for number in range(1, count + 1)}
    return Numbering({0: 0 if background else IGNORE, **classes, VOID: IGNORE})


def read_mask(path: Path, numbering: Numbering) -> UInt16[np.ndarray, "H W"]:
    """A mask as class ids, its pixels as they are stored.

    Raises `DatasetError`: no picture, several channels, a number that stands for no class.
    """
    try:
        numbers = load_label_map(path)
    except ImageError as error:
        raise DatasetError(str(error)) from error
    return numbering.class_map(numbers, path)
