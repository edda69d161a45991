"""Dense targets that the frozen teacher computes in training: its own dense read-out, averaged over windows.

Windows begin at a stride that is no multiple of the patch, so a place in the picture falls on different parts of
patches and sees different surroundings (SPAR, arXiv 2604.02252); every step moves their grid, and every second window
is flipped (PH-Reg, arXiv 2505.21501, averages shifted and flipped pictures). Nothing is stored: at 448 pixels and 512
dimensions the maps of 25,000 photos would be 20 GB in float16, those of 118,000 photos 95 GB, with one shift only.

Letters: B image, W window, I J windows down and across, G cell of a window along an axis, L patches along an axis, P
patch, D embedding width, S pixels along a side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from zeroseg.baselines import DenseReadOut
from zeroseg.baselines.windows import covered_fractions
from zeroseg.errors import ConfigError
from zeroseg.method_names import DenseMethod
from zeroseg.teacher import Teacher

WINDOWS_AT_ONCE = 64


@dataclass(frozen=True)
class WindowsConfig:
    """The windows of a training picture whose patches the teacher embeds; all lengths in its pixels."""

    side: int = 224
    """Of a window, a multiple of the teacher's patch: best the size that the teacher was trained at."""
    stride: int = 24
    """From one window to the next; no multiple of the patch."""
    method: DenseMethod = "naclip"
    """The teacher's dense read-out."""
    moved: bool = True
    """Move the grid of windows in every step, and flip every second window."""

    def __post_init__(self) -> None:
        """Raises `ConfigError` for windows that leave gaps."""
        if not 1 <= self.stride <= self.side:
            raise ConfigError(
                f"windows must begin every 1 to {self.side} pixels, the side of a window, not every {self.stride}."
            )

    def check(self, image_size: int, patch_size: int) -> None:
        """Raise `ConfigError` unless windows fit into the picture, and their stride is no multiple of its patches."""
        if self.side > image_size:
            raise ConfigError(
                f"windows of {self.side} pixels do not fit into pictures of {image_size}: make windows.side smaller, "
                "or student.image_size larger."
            )
        if self.side < image_size and self.stride % patch_size == 0:
            raise ConfigError(
                f"the stride of windows ({self.stride}) is a multiple of the patch ({patch_size} pixels), so that they "
                "all cut it in the same way: choose another windows.stride."
            )

    def count(self, image_size: int) -> int:
        """The largest number of windows of a picture."""
        return max(len(window_starts(image_size, self.side, self.stride, shift)) for shift in range(self.stride)) ** 2


class DenseTargets:
    """The teacher's read-out, averaged over windows, on the student's grid of patches."""

    def __init__(self, teacher: Teacher, config: WindowsConfig, grid: int) -> None:
        """`grid`: patches along a side of the student. Raises `ConfigError` if the teacher cannot read the windows."""
        if config.side % teacher.patch_size:
            raise ConfigError(
                f"windows.side must be a multiple of {teacher.patch_size} pixels, the patch of the teacher, not "
                f"{config.side}."
            )
        self.read_out = DenseReadOut(teacher, config.side, config.method)
        self.config, self.grid = config, grid

    def draw(self, generator: torch.Generator) -> int:
        """The shift of the windows in a step, pixels: 0 .. stride - 1; always 0 if windows are not moved."""
        if not self.config.moved:
            return 0
        return int(torch.randint(self.config.stride, (), generator=generator, device=generator.device))

    @torch.no_grad()
    def __call__(self, images: Float[Tensor, "B 3 S S"], shift: int = 0) -> Float[Tensor, "B P D"]:
        """The target of every patch: the mean of the windows' cells (of length 1) that overlap it, by their overlap.

        `images`: values 0..1; `shift`: of the windows, pixels.
        """
        side, pixels = self.config.side, images.shape[-1]
        starts = window_starts(pixels, side, self.config.stride, shift)
        places = [(top, left) for top in starts for left in starts]
        cells = torch.stack([self._cells(images, places, number) for number in range(len(images))])
        cells = rearrange(cells, "b (i j) (g h) d -> b i j g h d", i=len(starts), g=side // self.read_out.multiple)
        overlap = cell_overlaps(starts, side, self.read_out.multiple, pixels, self.grid).to(cells)
        down = torch.einsum("bijghd,igp->bjhpd", cells, overlap)
        total = torch.einsum("bjhpd,jhq->bpqd", down, overlap)
        weight = overlap.sum(dim=(0, 1))
        return (total / (weight[:, None] * weight)[..., None]).flatten(1, 2)

    def _cells(
        self, images: Float[Tensor, "B 3 S S"], places: Sequence[tuple[int, int]], number: int
    ) -> Float[Tensor, "W P D"]:
        """The embeddings of all cells of the windows of one image, at length 1; every second window is seen flipped."""
        side, found = self.config.side, list[Tensor]()
        flipped = torch.tensor([self.config.moved and place % 2 == 1 for place in range(len(places))])
        for start in range(0, len(places), WINDOWS_AT_ONCE):
            some, turned = places[start : start + WINDOWS_AT_ONCE], flipped[start : start + WINDOWS_AT_ONCE]
            windows = torch.stack([images[number, :, top : top + side, left : left + side] for top, left in some])
            turned = turned.to(windows.device)[:, None, None, None]
            windows = torch.where(turned, windows.flip(-1), windows)
            cells = self.read_out.patches(windows).float()
            cells = rearrange(cells, "w (g h) d -> w g h d", g=side // self.read_out.multiple)
            found.append(torch.where(turned, cells.flip(2), cells).flatten(1, 2))
        return F.normalize(torch.cat(found), dim=-1)


def window_starts(length: int, side: int, stride: int, shift: int = 0) -> list[int]:
    """Where windows begin along an axis of `length` pixels: at `shift`, every `stride` from there, and at both ends."""
    last = length - side
    return sorted({0, last, *range(shift, last + 1, stride)})


def cell_overlaps(starts: Sequence[int], side: int, cell: int, length: int, grid: int) -> Float[Tensor, "I G L"]:
    """The fraction of each patch, 0..1, that each cell of each window covers, along one axis.

    `cell`: pixels of a window's cells; `length`: of the axis, in pixels; `grid`: patches along it.
    """
    places = [start + cell * number for start in starts for number in range(side // cell)]
    return covered_fractions(places, cell, length, grid).unflatten(0, (len(starts), side // cell))
