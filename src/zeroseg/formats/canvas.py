"""A class map from the areas of an annotation file.

Letters: H W pixels.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool

from zeroseg.formats.annotated import AnnotatedPhoto, Classes, Size


class Canvas:
    """A class map that is painted area by area; larger areas first, so that a small one on a large one stays."""

    def __init__(self, classes: Classes, size: Size) -> None:
        """`size`: width and height."""
        self.classes, self.size = classes, size
        self.areas = list[tuple[int, float, Bool[np.ndarray, "H W"]]]()

    def add(self, index: int, mask: Bool[np.ndarray, "H W"], score: float = 1.0) -> None:
        """An area of a label. Raises `ValueError` for a mask of another size."""
        if mask.shape != self.size[::-1]:
            raise ValueError(
                f"a mask of {mask.shape[1]} x {mask.shape[0]} pixels in a picture of {self.size[0]} x {self.size[1]}"
            )
        self.areas.append((index, score, mask))

    def annotated(self, photo: str) -> AnnotatedPhoto:
        """The picture. Raises `ValueError` if pixels stay without a label and there is no background."""
        class_map = np.zeros(self.size[::-1], np.uint16)
        covered, scores = np.zeros(self.size[::-1], bool), dict[int, float]()
        for index, score, mask in sorted(self.areas, key=lambda area: -int(area[2].sum())):
            class_map[mask] = index
            covered |= mask
            scores[index] = score
        if not (covered.all() or self.classes.has_background):
            raise ValueError("pixels without a label, and no background")
        if self.classes.has_background:
            scores.setdefault(0, 1.0)
        return AnnotatedPhoto(photo, self.classes.segmentation(class_map, scores))
