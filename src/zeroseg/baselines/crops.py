"""Grid crops named by the teacher: the crudest segmentation that a CLIP can give.

Letters: H W pixels.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from zeroseg.images import resize
from zeroseg.segmenter import Encoded
from zeroseg.student.config import ReadOut
from zeroseg.teacher import Teacher
from zeroseg.views import grid_boxes


class GridCrops:
    """n x n crops, each embedded on its own. An `ImageEncoder`: the crops are the cells of its grid."""

    def __init__(self, teacher: Teacher, shorter_side: int, n: int = 4) -> None:
        """`shorter_side`: the image is brought to a square of this side before it is cut, pixels."""
        self.teacher, self.n = teacher, n
        self.shorter_side, self.multiple = shorter_side, 1

    def encode(self, pixels: Float[Tensor, "1 3 H W"], read_out: ReadOut, size: tuple[int, int]) -> Encoded:
        """One embedding a crop."""
        square = resize(pixels, (self.shorter_side, self.shorter_side))
        boxes = grid_boxes(self.shorter_side, self.n)
        crops = [resize(square[..., t:b, l:r], (self.teacher.size, self.teacher.size)) for l, t, r, b in boxes]
        embedded = self.teacher.embed_images(torch.cat([*crops, resize(pixels, (self.teacher.size,) * 2)]))
        return Encoded(embedded[:-1], embedded[-1], None, (self.n, self.n), size)
