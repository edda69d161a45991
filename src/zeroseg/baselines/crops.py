"""Grid crops named by the teacher: the crudest segmentation that it can give.

Letters: H W pixels.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from zeroseg.errors import ConfigError
from zeroseg.images import resize
from zeroseg.segmenter import Encoded
from zeroseg.teacher import Teacher
from zeroseg.views import grid_boxes


class GridCrops:
    """n x n crops, each embedded on its own. An `ImageEncoder`: the crops are the cells of its grid."""

    def __init__(self, teacher: Teacher, shorter_side: int, n: int = 4) -> None:
        """`shorter_side`: the image is brought to a square of this side before it is cut, pixels.

        Raises `ConfigError` for crops of less than a pixel.
        """
        if not 1 <= n <= shorter_side:
            raise ConfigError(f"{n} x {n} crops cannot be cut from {shorter_side} x {shorter_side} pixels.")
        self.teacher, self.n = teacher, n
        self.shorter_side, self.multiple = shorter_side, 1

    def encode(self, pixels: Float[Tensor, "1 3 H W"], size: tuple[int, int]) -> Encoded:
        """One embedding a crop."""
        teacher_size = (self.teacher.size, self.teacher.size)
        square = resize(pixels, (self.shorter_side, self.shorter_side))
        crops = [
            resize(square[..., top:bottom, left:right], teacher_size)
            for left, top, right, bottom in grid_boxes(self.shorter_side, self.n)
        ]
        embedded = self.teacher.embed_images(torch.cat([*crops, resize(pixels, teacher_size)]))
        *_, image = embedded
        return Encoded(image, embedded[:-1], None, None, torch.zeros_like(image), (self.n, self.n), size)
