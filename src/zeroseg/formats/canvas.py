"""A class map from the areas of an annotation file.

Letters: H W pixels of the picture, h w those of a box.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, UInt8

from zeroseg.formats.annotated import AnnotatedPhoto, Classes, Region, Size


@dataclass(frozen=True, eq=False)
class _Area:
    """What is kept of an area: its box, and its pixels column by column, eight in a byte."""

    index: int
    box: tuple[int, int, int, int]
    pixels: UInt8[np.ndarray, " _"]
    count: int
    score: float
    layer: int


class Canvas:
    """A class map that is painted area by area; larger areas first, so that a small one on a large one stays.

    Of an area only its box is kept, a bit for each pixel, so that many areas need little memory.
    """

    def __init__(self, classes: Classes, size: Size) -> None:
        """`size`: width and height. Raises `ValueError` for a picture without pixels."""
        if min(size) < 1:
            raise ValueError(f"a picture of {size[0]} x {size[1]} pixels")
        self.classes, self.size = classes, size
        self.areas = list[_Area]()

    def add(self, index: int, mask: Bool[np.ndarray, "H W"], score: float = 1.0, layer: int = 0) -> None:
        """An area of a label; those of higher layers lie on the others. Raises `ValueError` for a mask of another size.

        The score is limited to 0..1.
        """
        if mask.shape != self.size[::-1]:
            raise ValueError(
                f"a mask of {mask.shape[1]} x {mask.shape[0]} pixels in a picture of {self.size[0]} x {self.size[1]}"
            )
        self.place(Region(index, *trimmed(0, 0, mask)), score, layer)

    def place(self, region: Region, score: float = 1.0, layer: int = 0) -> None:
        """The same for the mask of a box, which lies in the picture. Raises `ValueError` if it does not."""
        left, top, width, height = region.box
        if left < 0 or top < 0 or left + width > self.size[0] or top + height > self.size[1]:
            raise ValueError(f"an area outside of the picture of {self.size[0]} x {self.size[1]} pixels")
        if not 0 <= region.index < len(self.classes.labels):
            raise ValueError(f"an area of the class {region.index}, which is not declared")
        mask = region.mask.T  # columns first: so are COCO's run lengths, whose areas may be as large as the picture
        limited = min(max(score, 0.0), 1.0)
        self.areas.append(_Area(region.index, region.box, np.packbits(mask), region.area, limited, layer))

    def annotated(self, photo: str) -> AnnotatedPhoto:
        """The picture. Raises `ValueError` if pixels stay without a label and there is no background."""
        class_map, covered = np.zeros(self.size, np.uint16), np.zeros(self.size, bool)  # [W H]
        scores = dict[int, float]()
        for area in sorted(self.areas, key=lambda area: (area.layer, -area.count)):
            left, top, width, height = area.box
            mask = np.unpackbits(area.pixels, count=width * height).reshape(width, height).view(bool)
            box = np.s_[left : left + width, top : top + height]
            np.copyto(class_map[box], area.index, where=mask)
            covered[box] |= mask
            scores[area.index] = area.score
        if not (covered.all() or self.classes.has_background):
            raise ValueError("pixels without a label, and no background")
        if self.classes.has_background:
            scores.setdefault(0, 1.0)
        return AnnotatedPhoto(photo, self.classes.segmentation(class_map.T, scores))


def trimmed(left: int, top: int, mask: Bool[np.ndarray, "H W"]) -> tuple[int, int, Bool[np.ndarray, "h w"]]:
    """A mask without the empty rows and columns around it, a copy, and where it begins: left, top, mask."""
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        return left, top, mask[:0, :0].copy()
    first, up = int(columns[0]), int(rows[0])
    return left + first, top + up, mask[up : rows[-1] + 1, first : columns[-1] + 1].copy()
