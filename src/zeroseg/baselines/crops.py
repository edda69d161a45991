"""Grid crops named by the teacher: its coarsest segmentation.

Letters: B image, H W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from zeroseg.encoding import Encoded, Size
from zeroseg.errors import ConfigError
from zeroseg.images import resize
from zeroseg.teacher import Teacher
from zeroseg.views import grid_boxes


class GridCrops:
    """n x n crops, each embedded separately. An `ImageEncoder`: the crops are the cells of its grid."""

    def __init__(self, teacher: Teacher, shorter_side: int, n: int = 4) -> None:
        """`shorter_side`: the side of the square to which the image is resized before it is cut, pixels.

        Raises `ConfigError` for crops smaller than a pixel.
        """
        if not 1 <= n <= shorter_side:
            raise ConfigError(f"{n} x {n} crops cannot be cut from {shorter_side} x {shorter_side} pixels.")
        self.teacher, self.n = teacher, n
        self.shorter_side, self.multiple = shorter_side, 1

    def encode(self, pixels: Float[Tensor, "B 3 H W"], sizes: Sequence[Size]) -> list[Encoded]:
        """One embedding for each crop (see `ImageEncoder`)."""
        return [self._encode(one[None], size) for one, size in zip(pixels, sizes, strict=True)]

    def _encode(self, pixels: Float[Tensor, "1 3 H W"], size: Size) -> Encoded:
        teacher_size = (self.teacher.size, self.teacher.size)
        square = resize(pixels, (self.shorter_side, self.shorter_side))
        crops = [
            resize(square[..., top:bottom, left:right], teacher_size)
            for left, top, right, bottom in grid_boxes(self.shorter_side, self.n)
        ]
        embedded = self.teacher.embed_images(torch.cat([*crops, resize(pixels, teacher_size)]))
        *_, image = embedded
        return Encoded(image, embedded[:-1], None, None, torch.zeros_like(image), (self.n, self.n), size)
