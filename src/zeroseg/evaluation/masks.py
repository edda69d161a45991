"""Masks on disk: pictures whose pixel values are class numbers.

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

VOID = 255  # the number of ignored pixels in the masks of most benchmarks
LARGEST_NUMBER = 65_535  # of a PNG's pixel
Fit = Literal["stored", "upright"]


@dataclass(frozen=True)
class MaskOptions:
    """How a user's own masks are read.

    `ignore`: numbers (in COCO's JSON ids of categories) whose pixels are ignored, and which are not classes; None for
    the default of the data set. `fit`: whether a mask fits the stored pixels or the upright picture, if EXIF rotates or
    flips the picture; None to decide it from the files (`labelled_images`).
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
    """The class of each number in a mask; `others` is the class of numbers without an entry, None refuses them."""

    classes: Mapping[int, int]
    others: int | None = None

    def class_map(self, numbers: Integer[np.ndarray, "H W"], path: Path) -> UInt16[np.ndarray, "H W"]:
        """The class of every pixel. Raises a `DatasetError` that names `path` for a number without a class."""
        found, places = np.unique(numbers, return_inverse=True)
        classes = [self.classes.get(int(number), self.others) for number in found]
        if None in classes:
            number = found[classes.index(None)]
            raise DatasetError(
                f"{str(path)!r} contains the number {number}, which is not a class of this data set: "
                "check that it is the right kind of mask."
            )
        return np.array(classes, np.uint16)[places].reshape(numbers.shape)


def counted_from_one(count: int, background: bool) -> Numbering:
    """The usual numbers: 0 is the background (ignored if that is not a class), classes count from 1, 255 is ignored."""
    classes = {number: number - (not background) for number in range(1, count + 1)}
    return Numbering({0: 0 if background else IGNORE, **classes, VOID: IGNORE})


def read_mask(path: Path, numbering: Numbering) -> UInt16[np.ndarray, "H W"]:
    """A mask as class ids, with its pixels as they are stored.

    Raises `DatasetError` if it is not a picture, has several channels, or contains a number without a class.
    """
    try:
        numbers = load_label_map(path)
    except ImageError as error:
        raise DatasetError(str(error)) from error
    return numbering.class_map(numbers, path)
