"""Two references: true regions named by the teacher, and background everywhere.

Letters: B image, R region, H W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt16
from torch import Tensor

from zeroseg.baselines.regions import true_regions
from zeroseg.encoding import Encoded, Size
from zeroseg.images import resize
from zeroseg.segmentation import IGNORE
from zeroseg.teacher import Teacher
from zeroseg.views import Box

LOOK = 0.7  # fraction of a region's longer side: its surroundings make its name worse (docs/log.md)
SMALLEST = 0.2  # fraction of the picture's shorter side: the teacher was not trained on smaller crops


class TrueRegions:
    """The upper bound of naming: every region of the truth is embedded separately. An `ImageEncoder`.

    An embedding is the mean over two versions of a square at the region's centre: unchanged, and with the region's mean
    colour outside of the region. Regions are the connected components of the true classes, with the background
    (`regions.true_regions`). Evaluation gives it the truth (`encode_true`); without it, the whole picture is one
    region. It is read by segment and not refined.
    """

    def __init__(self, teacher: Teacher) -> None:
        self.teacher = teacher
        self.shorter_side, self.multiple = teacher.size, 1

    def encode(self, pixels: Float[Tensor, "B 3 H W"], sizes: Sequence[Size]) -> list[Encoded]:
        """Each picture as one region (see `ImageEncoder`)."""
        whole = np.zeros(pixels.shape[2:], np.uint16)
        return [self.encode_true(one[None], whole, size) for one, size in zip(pixels, sizes, strict=True)]

    def encode_true(self, pixels: Float[Tensor, "1 3 H W"], truth: UInt16[np.ndarray, "H W"], size: Size) -> Encoded:
        """Embeddings and exact masks of all regions in `truth`; `size`: height and width of the original picture."""
        masks, boxes = true_regions(truth, IGNORE)
        side = (self.teacher.size, self.teacher.size)
        height, width = truth.shape
        looks: list[Float[Tensor, "1 3 h w"]] = []
        for mask, box in zip(torch.from_numpy(masks), boxes, strict=True):
            left, top, right, bottom = _square(box, height, width)
            alone = torch.where(mask, pixels, pixels[..., mask].mean(dim=-1)[..., None, None])
            looks += [resize(seen[..., top:bottom, left:right], side) for seen in (pixels, alone)]
        *regions, image = self.teacher.embed_images(torch.cat([*looks, resize(pixels, side)]))
        embedded = F.normalize(torch.stack(regions), dim=-1).view(len(masks), 2, -1).mean(dim=1)
        drawn = torch.from_numpy(masks).to(image.device, torch.float32)
        return Encoded(image, None, embedded, drawn, torch.zeros_like(image), (height, width), size)


class BackgroundOnly:
    """Background everywhere: all similarities are 0. An `ImageEncoder`.

    If a data set has no background, all pixels get the same class.
    """

    def __init__(self, teacher: Teacher) -> None:
        self.teacher = teacher
        self.shorter_side, self.multiple = teacher.size, 1

    def encode(self, pixels: Float[Tensor, "B 3 H W"], sizes: Sequence[Size]) -> list[Encoded]:
        """One cell with a zero embedding for each picture (see `ImageEncoder`)."""
        nowhere = pixels.new_zeros(self.teacher.width).to(self.teacher.device)
        return [Encoded(nowhere, nowhere[None], None, None, nowhere, (1, 1), size) for size in sizes]


def _square(box: Box, height: int, width: int) -> Box:
    """The square at the centre of a box, moved into the picture, and cut if the picture is smaller."""
    left, top, right, bottom = box
    side = max(LOOK * max(right - left, bottom - top), SMALLEST * min(height, width))
    across, down = min(width, round(side)), min(height, round(side))
    x = min(max(0, round((left + right - across) / 2)), width - across)
    y = min(max(0, round((top + bottom - down) / 2)), height - down)
    return x, y, x + across, y + down
