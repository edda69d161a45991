"""Views: the crops of an image that the teacher embeds, and their overlap with the student's patches.

The paper cuts a square image into grids of n x n equal views, n = 1..4: 1 + 4 + 9 + 16 = 30. With `overlapping`,
views also begin at half steps: (2n - 1)^2 for each grid, 84 in total.

Letters: V view, P patch.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor

from zeroseg.errors import ConfigError

Box = tuple[int, int, int, int]  # left, top, right, bottom: pixels, right and bottom excluded


@dataclass(frozen=True)
class ViewsConfig:
    """Which views of a square image `side` pixels wide the teacher embeds.

    The image is cropped to its central square and resized to `side` first, as in the paper (224). With
    `own_resolution`, caches have views that are cut from the square as it is, so small views of large photos are sharp;
    `side` is then only the unit of boxes.
    """

    side: int = 224
    """Pixels of the square that views are cut from."""
    grids: tuple[int, ...] = (1, 2, 3, 4)
    """Numbers n: each is a grid of n x n views."""
    overlapping: bool = False
    """Views begin at half steps too: (2n - 1) x (2n - 1) of each grid."""
    own_resolution: bool = False
    """Cut views from the photo's square as it is, not from one of `side` pixels."""

    def __post_init__(self) -> None:
        grids = self.grids
        if not grids or min(grids) < 1 or max(grids) > self.side or len(set(grids)) < len(grids):
            raise ConfigError(
                f"the view grids {grids} must be different whole numbers from 1 to {self.side}, the side."
            )

    @property
    def key(self) -> str:
        """The views in words, which distinguish caches: `224px 1x1 2x2 3x3 4x4`."""
        further = " overlapping" * self.overlapping + " of their own resolution" * self.own_resolution
        return f"{self.side}px {' '.join(f'{n}x{n}' for n in self.grids)}{further}"

    def boxes(self) -> list[Box]:
        """The view boxes, grid by grid, row by row. Without overlap each grid tiles the image exactly."""
        return [box for n in self.grids for box in grid_boxes(self.side, n, self.overlapping)]

    def is_local(self) -> list[bool]:
        """Which views are crops: all but the whole image (the paper's v_2 .. v_n)."""
        whole = (0, 0, self.side, self.side)
        return [box != whole for box in self.boxes()]


def grid_boxes(side: int, n: int, overlapping: bool = False) -> list[Box]:
    """n x n boxes that tile a square of `side` pixels; with `overlapping`, windows at half steps too."""
    halves = [round(side * k / (2 * n)) for k in range(2 * n + 1)]
    step = 1 if overlapping else 2
    spans = [(halves[k], halves[k + 2]) for k in range(0, 2 * n - 1, step)]
    return [(left, top, right, bottom) for top, bottom in spans for left, right in spans]


def hflip_order(config: ViewsConfig) -> Int[Tensor, " V"]:
    """For each view, the number of the view at the same place in the horizontally flipped image (exact to a pixel)."""
    places, start = list[Tensor](), 0
    for n in config.grids:
        across = 2 * n - 1 if config.overlapping else n
        places.append((start + torch.arange(across**2)).view(across, across).flip(1).flatten())
        start += across**2
    return torch.cat(places)


def patch_coverage(config: ViewsConfig, patches: int) -> Float[Tensor, "P V"]:
    """The fraction of each patch that lies in each view, 0..1; a grid of `patches` x `patches`, row by row."""
    edges = [config.side * k / patches for k in range(patches + 1)]
    columns = [[_shared(a, b, left, right) for left, _, right, _ in config.boxes()] for a, b in pairwise(edges)]
    rows = [[_shared(a, b, top, bottom) for _, top, _, bottom in config.boxes()] for a, b in pairwise(edges)]
    across, down = torch.tensor(columns), torch.tensor(rows)
    return (down[:, None, :] * across[None, :, :]).flatten(0, 1)


def patch_relevance(config: ViewsConfig, patches: int, focus: float) -> Float[Tensor, "P V"]:
    """How relevant the embedding of each view is for each patch, 0..1.

    The fraction of the patch that lies in the view, times nearness to the view's centre to the power `focus`, times
    smallest side / side. Nearness falls linearly from 1 at the centre to 0 at the edges, along both axes.
    """
    boxes = torch.tensor(config.boxes()).float()
    sides = boxes[:, 2] - boxes[:, 0]
    middles = (torch.arange(patches) + 0.5)[:, None] * config.side / patches
    across, down = (
        1 - (middles - boxes[:, [first, last]].mean(dim=1)).abs() / (boxes[:, last] - boxes[:, first]) * 2
        for first, last in ((0, 2), (1, 3))
    )
    nearness = (down[:, None, :].clamp(min=0) * across[None, :, :].clamp(min=0)).flatten(0, 1)
    return patch_coverage(config, patches) * nearness**focus * (sides.min() / sides)


def _shared(a: float, b: float, low: float, high: float) -> float:
    """The fraction of the interval a..b that lies in low..high."""
    return max(0.0, min(b, high) - max(a, low)) / (b - a)
