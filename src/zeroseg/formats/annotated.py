"""What all formats write and read: a photo's name with its segmentation; and its regions, one connected area each.

ZeroSeg names pixels and does not count objects. Formats for objects receive connected areas of one label: two dogs that
touch are one region.

Letters: H W pixels of the picture, h w those of a region's box, N numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int, Integer, UInt16

from zeroseg.components import components
from zeroseg.formats.georeference import Georeference
from zeroseg.segmentation import BACKGROUND, Segmentation

Size = tuple[int, int]  # width, height
ROWS = 256  # that are looked at at once


@dataclass(frozen=True)
class Classes:
    """The labels of a run, the same for all of its pictures; with `has_background` the first is "background"."""

    labels: tuple[str, ...]
    has_background: bool = False

    @classmethod
    def of(cls, segmentation: Segmentation) -> Classes:
        """Those of a picture."""
        return cls(segmentation.labels, segmentation.has_background)

    @classmethod
    def besides_background(cls, names: Sequence[str]) -> Classes:
        """Names that were read from a file: what they leave over is background."""
        return cls((BACKGROUND, *(name for name in names if name != BACKGROUND)), has_background=True)

    @property
    def named(self) -> dict[int, str]:
        """The labels without the background, by their index in class maps."""
        return {index: label for index, label in enumerate(self.labels) if index or not self.has_background}

    def segmentation(
        self, class_map: UInt16[np.ndarray, "H W"], scores: dict[int, float] | None = None
    ) -> Segmentation:
        """A segmentation with these labels. Scores of labels that are not given, but occur, are 1."""
        present = np.bincount(class_map.ravel(), minlength=len(self.labels)) > 0
        given = scores or {}
        values = [given.get(index, 1.0) if occurs else 0.0 for index, occurs in enumerate(present)]
        return Segmentation(self.labels, class_map, np.array(values, np.float32), self.has_background)


@dataclass(frozen=True)
class AnnotatedPhoto:
    """A photo's name, a relative path with slashes such as "holiday/dog.jpg", and its segmentation.

    `georeference`: its place on the map, which formats for maps keep; None if it has none.
    """

    photo: str
    segmentation: Segmentation
    georeference: Georeference | None = None


@dataclass(frozen=True, eq=False)
class Region:
    """A connected area of one label.

    Attributes:
        index: of the label.
        left, top: the upper left corner of its box, in pixels.
        mask: [h w] its pixels within the box.
    """

    index: int
    left: int
    top: int
    mask: Bool[np.ndarray, "h w"]

    @property
    def area(self) -> int:
        """The number of its pixels."""
        return int(np.count_nonzero(self.mask))

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, width and height in pixels."""
        height, width = self.mask.shape
        return self.left, self.top, width, height


def regions(segmentation: Segmentation) -> Iterator[Region]:
    """All regions of a picture but the background, in the order of their first pixels, row by row."""
    numbers = components(segmentation.class_map)
    index = np.zeros(int(numbers.max()) + 1, np.intp)
    index[numbers.ravel()] = segmentation.class_map.ravel()
    shown = index > 0 if segmentation.has_background else np.ones(len(index), bool)
    return _areas(numbers, index, shown)


def label_areas(segmentation: Segmentation) -> Iterator[Region]:
    """All pixels of each label that occurs, but the background's, in the order of the labels; not connected."""
    shown = segmentation.fractions > 0
    if segmentation.has_background:
        shown[0] = False
    return _areas(segmentation.class_map, np.arange(len(segmentation.labels)), shown)


def _areas(
    numbers: Integer[np.ndarray, "H W"], index: Int[np.ndarray, " N"], shown: Bool[np.ndarray, " N"]
) -> Iterator[Region]:
    """The areas of those numbers that are `shown`; `index`: the label of each number."""
    lefts, tops, rights, bottoms = _boxes(numbers, len(index))
    for number in np.flatnonzero(shown).tolist():
        top, left = int(tops[number]), int(lefts[number])
        within = numbers[top : bottoms[number], left : rights[number]]
        yield Region(int(index[number]), left, top, within == number)


def _boxes(numbers: Integer[np.ndarray, "H W"], count: int) -> Int[np.ndarray, "4 N"]:
    """The box of each number: left, top, and the first column and row after it. From the runs of its rows."""
    height, width = numbers.shape
    lefts, tops = np.full(count, width), np.full(count, height)
    rights, bottoms = np.zeros(count, np.intp), np.zeros(count, np.intp)
    for top in range(0, height, ROWS):
        strip = numbers[top : top + ROWS]
        starts = np.ones(strip.shape, bool)
        starts[:, 1:] = strip[:, 1:] != strip[:, :-1]
        found, first = strip[starts], np.flatnonzero(starts)
        row, left = np.divmod(first, width)
        right = np.append(first[1:], strip.size) - row * width
        np.minimum.at(lefts, found, left)
        np.minimum.at(tops, found, top + row)
        np.maximum.at(rights, found, right)
        np.maximum.at(bottoms, found, top + row + 1)
    return np.stack([lefts, tops, rights, bottoms])
