"""Sliding windows named by the teacher: its whole-image embeddings at every place.

Letters: B image, V window, I J windows down and across, G cells along an axis, h w grid cells, D embedding width,
H W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from zeroseg.encoding import Encoded, Size
from zeroseg.errors import ConfigError
from zeroseg.teacher import Teacher


class SlidingWindows:
    """Square windows, each embedded separately; a cell is the mean of the windows that show it. An `ImageEncoder`.

    Embeddings are normalised to length 1. Their weights are the fraction of the cell that the window covers, times
    (side of the smallest windows / side of the window)^2.
    """

    def __init__(
        self,
        teacher: Teacher,
        shorter_side: int,
        sides: Sequence[float] = (1 / 6, 1 / 4, 1 / 3, 1 / 2),
        stride: float = 1 / 16,
        cells: int = 24,
    ) -> None:
        """`shorter_side`: of the resized images, pixels. `sides` of the windows and `stride`: fractions of it.

        `cells`: their number along the shorter side. Raises `ConfigError` for windows that do not fit into the image or
        leave gaps.
        """
        if not (sides and 0 < stride <= min(sides) and max(sides) <= 1):
            raise ConfigError(
                "the sides of windows and their stride are fractions of the image's shorter side, the stride no longer "
                f"than the shortest: not {', '.join(f'{side:g}' for side in sides) or 'none'} and {stride:g}."
            )
        if min(shorter_side, cells) < 1:
            raise ConfigError(f"windows need 1 or more pixels and cells a side, not {shorter_side} and {cells}.")
        self.teacher, self.sides, self.stride, self.cells = teacher, tuple(sides), stride, cells
        self.shorter_side, self.multiple = shorter_side, 1

    def encode(self, pixels: Float[Tensor, "B 3 H W"], sizes: Sequence[Size]) -> list[Encoded]:
        """One embedding for each cell, of length 1 or less (see `ImageEncoder`); the image's is the teacher's own."""
        return [self._encode(one[None], size) for one, size in zip(pixels, sizes, strict=True)]

    def _encode(self, pixels: Float[Tensor, "1 3 H W"], size: Size) -> Encoded:
        height, width = pixels.shape[2:]
        short = min(height, width)
        h, w = round(self.cells * height / short), round(self.cells * width / short)
        image = self.teacher.embed_images(pixels)[0]
        total, weight = image.new_zeros(h, w, len(image)), image.new_zeros(h, w, 1)
        step = max(1, round(self.stride * short))
        for fraction in self.sides:
            side = max(1, round(fraction * short))
            tops, lefts = starts(height, side, step), starts(width, side, step)
            windows = [pixels[0, :, top : top + side, left : left + side] for top in tops for left in lefts]
            embedded = F.normalize(self.teacher.embed_images(torch.stack(windows)), dim=-1)
            embedded = rearrange(embedded, "(i j) d -> i j d", i=len(tops))
            down = covered_fractions(tops, side, height, h).to(image) * (min(self.sides) / fraction) ** 2
            across = covered_fractions(lefts, side, width, w).to(image)
            total += torch.einsum("ih,jw,ijd->hwd", down, across, embedded)
            weight += torch.einsum("ih,jw->hw", down, across)[..., None]
        patches = (total / weight).flatten(0, 1)
        return Encoded(image, patches, None, None, torch.zeros_like(image), (h, w), size)


def starts(length: int, side: int, step: int) -> list[int]:
    """Where windows begin along an axis of `length` pixels, every `step`; the last one ends where the image ends."""
    return [min(number * step, length - side) for number in range(ceil((length - side) / step) + 1)]


def covered_fractions(places: Sequence[float], side: float, length: int, cells: int) -> Float[Tensor, "I G"]:
    """The fraction of each cell, 0..1, that each window covers, along one axis; all lengths in pixels."""
    edges, begin = torch.linspace(0, length, cells + 1), torch.tensor(places)[:, None]
    common = torch.minimum(edges[1:], begin + side) - torch.maximum(edges[:-1], begin)
    return common.clamp(min=0) * cells / length
