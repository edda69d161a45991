"""Images on disk with the true class of every pixel: what all data sets but the picturebook are.

Letters: H W pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from zeroseg.errors import DatasetError
from zeroseg.evaluation.class_names import ClassNames
from zeroseg.evaluation.dataset import Sample
from zeroseg.evaluation.masks import Numbering, read_mask
from zeroseg.images import load_image, upright_turn
from zeroseg.vocabulary import BACKGROUND


@dataclass(frozen=True)
class Item:
    """An image, the file that its truth comes from, and how that becomes class ids for the image's stored pixels."""

    name: str
    image: Path
    source: Path
    read: Callable[[], UInt8[np.ndarray, "H W"]]


class LabelledImages:
    """A data set of such items, read when they are asked for.

    A truth fits an image's pixels as they are stored: where EXIF turns the image upright, the truth is turned with it.
    A truth that only fits the upright image is taken as it is.

    Iterating raises `ImageError` for an image, `DatasetError` for a truth that cannot be read or is of another size.
    """

    def __init__(self, name: str, names: ClassNames, has_background: bool, items: Sequence[Item]) -> None:
        self.name = name
        self.classes = (BACKGROUND, *names.names) if has_background else names.names
        self.has_background = has_background
        self.vocabulary = names.vocabulary(has_background)
        self._items = tuple(items)

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Sample]:
        return map(self.sample, range(len(self)))

    def sample(self, number: int) -> Sample:
        """The image of a number from 0, with its truth."""
        item = self._items[number]
        image = load_image(item.image)
        truth = _turned(item.read(), item.image, image.size)
        if truth.shape != (image.height, image.width):
            raise DatasetError(
                f"{str(item.source)!r} has {truth.shape[1]} x {truth.shape[0]} pixels for {str(item.image)!r}, "
                f"which has {image.width} x {image.height}: image and truth must be of one size."
            )
        return Sample(item.name, image, truth)


def masked_items(triples: Iterable[tuple[str, Path, Path]], numbering: Numbering) -> list[Item]:
    """Items from names, images and masks with one numbering."""
    return [Item(name, image, mask, partial(read_mask, mask, numbering)) for name, image, mask in triples]


def _turned(truth: UInt8[np.ndarray, "H W"], image: Path, size: tuple[int, int]) -> UInt8[np.ndarray, "h w"]:
    """The truth turned as `load_image` turns the image, if it then has the image's size (width, height)."""
    turn = upright_turn(image)
    if turn is None:
        return truth
    turned = Image.fromarray(truth).transpose(turn)
    return np.array(turned) if turned.size == size else truth
