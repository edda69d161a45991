"""The ends of the scale: true regions named by the teacher, and background everywhere.

Letters: R region, H W pixels.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from zeroseg.baselines.regions import true_regions
from zeroseg.images import resize
from zeroseg.segmenter import Encoded
from zeroseg.teacher import Teacher
from zeroseg.views import Box

IGNORED = 255
SMALLEST = 0.2  # of the picture's shorter side: the teacher knows no smaller crops


class TrueRegions:
    """The ceiling of naming: every region of the truth is embedded from the square round it. An `ImageEncoder`.

    Regions are the components of the true classes (`regions.true_regions`), the background's, too. Evaluation shows it
    the truth (`encode_true`); without, the whole picture is one region. It is read by segment, and not refined.
    """

    def __init__(self, teacher: Teacher) -> None:
        self.teacher = teacher
        self.shorter_side, self.multiple = teacher.size, 1

    def encode(self, pixels: Float[Tensor, "1 3 H W"], size: tuple[int, int]) -> Encoded:
        """The picture as one region."""
        return self.encode_true(pixels, np.zeros(pixels.shape[2:], np.uint8), size)

    def encode_true(
        self, pixels: Float[Tensor, "1 3 H W"], truth: UInt8[np.ndarray, "H W"], size: tuple[int, int]
    ) -> Encoded:
        """Embeddings and exact masks of all regions in `truth`; `size` is the picture's own: height, width."""
        masks, boxes = true_regions(truth, IGNORED)
        side = (self.teacher.size, self.teacher.size)
        height, width = truth.shape
        squares = [_square(box, height, width) for box in boxes]
        crops = [resize(pixels[..., top:bottom, left:right], side) for left, top, right, bottom in squares]
        embedded = self.teacher.embed_images(torch.cat([*crops, resize(pixels, side)]))
        *_, image = embedded
        drawn = torch.from_numpy(masks).to(image.device, torch.float32)
        return Encoded(image, None, embedded[:-1], drawn, torch.zeros_like(image), (height, width), size)


class Nothing:
    """Background everywhere: nothing is like any word. An `ImageEncoder`.

    Where a data set has no background, every pixel gets one and the same class.
    """

    def __init__(self, teacher: Teacher) -> None:
        self.teacher = teacher
        self.shorter_side, self.multiple = teacher.size, 1

    def encode(self, pixels: Float[Tensor, "1 3 H W"], size: tuple[int, int]) -> Encoded:
        """One cell without any direction, whatever the pixels."""
        nowhere = pixels.new_zeros(self.teacher.width).to(self.teacher.device)
        return Encoded(nowhere, nowhere[None], None, None, nowhere, (1, 1), size)


def _square(box: Box, height: int, width: int) -> Box:
    """The square round a box, moved into the picture; cut where the picture is not as wide.

    More of what surrounds a region makes its name worse (docs/log.md).
    """
    left, top, right, bottom = box
    side = max(right - left, bottom - top, SMALLEST * min(height, width))
    across, down = min(width, round(side)), min(height, round(side))
    x = min(max(0, round((left + right - across) / 2)), width - across)
    y = min(max(0, round((top + bottom - down) / 2)), height - down)
    return x, y, x + across, y + down
