"""Masks on disk: pictures whose numbers stand for classes.

Letters: H W pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Integer, UInt8

from zeroseg.errors import DatasetError, ImageError
from zeroseg.evaluation.metrics import IGNORE
from zeroseg.images import load_label_map


@dataclass(frozen=True)
class Numbering:
    """Which class a mask's number stands for; `others` is the class of numbers without an entry, None refuses them."""

    classes: Mapping[int, int]
    others: int | None = None

    def class_map(self, numbers: Integer[np.ndarray, "H W"], path: Path) -> UInt8[np.ndarray, "H W"]:
        """The class of every pixel. Raises `DatasetError`, which names `path`, for a number that stands for none."""
        found, places = np.unique(numbers, return_inverse=True)
        classes = [self.classes.get(int(number), self.others) for number in found]
        if None in classes:
            number = found[classes.index(None)]
            raise DatasetError(
                f"{str(path)!r} holds the number {number}, which stands for no class of this data set: "
                "check that it is the right kind of mask."
            )
        return np.array(classes, np.uint8)[places].reshape(numbers.shape)


def counted_from_one(count: int, background: bool) -> Numbering:
    """The usual masks: 0 is the background (ignored where that is no class), classes count from 1, 255 is ignored."""
    classes = {number: number - (not background) for number in range(1, count + 1)}
    return Numbering({0: 0 if background else IGNORE, **classes, IGNORE: IGNORE})


def read_mask(path: Path, numbering: Numbering) -> UInt8[np.ndarray, "H W"]:
    """A mask as class ids. Raises `DatasetError`: no picture, several channels, a number that stands for no class."""
    try:
        numbers = load_label_map(path)
    except ImageError as error:
        raise DatasetError(str(error)) from error
    return numbering.class_map(numbers, path)
