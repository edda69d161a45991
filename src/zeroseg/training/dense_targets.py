"""Dense targets that the frozen teacher computes in training: its own dense read-out, averaged over windows.

Windows begin at a stride that is no multiple of the patch, so a place in the picture falls on different parts of
patches and sees different surroundings (SPAR, arXiv 2604.02252); every step moves their grid, and every second window
is flipped (PH-Reg, arXiv 2505.21501, averages shifted and flipped pictures). Windows may be read at several scales, one
in each step, and alike patches of a picture may share their targets (`smoothed`). Nothing is stored: at 448 pixels and
512 dimensions the maps of 25,000 photos would be 20 GB in float16, those of 118,000 photos 95 GB, with one shift only.

Letters: B image, W window, I J windows down and across, G cell of a window along an axis, L patches along an axis, P
patch, D embedding width, S pixels along a side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from zeroseg.baselines import DenseReadOut
from zeroseg.baselines.windows import covered_fractions
from zeroseg.errors import ConfigError
from zeroseg.images import resize
from zeroseg.method_names import DenseMethod
from zeroseg.student.config import NEWER
from zeroseg.teacher import Teacher

WINDOWS_AT_ONCE = 64
LARGEST_SCALE = 8


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
    """Move the grid of windows in every step, draw one of the scales, and flip every second window."""
    scales: tuple[float, ...] = field(default=(1.0,), metadata={NEWER: (1.0,)})
    """The sizes at which the teacher reads a window, as multiples of its own; the targets are means over them."""
    smoothing: float = field(default=0.0, metadata={NEWER: 0.0})
    """Temperature at which patches take over the targets of others that are like them in the picture; 0: none do."""

    def __post_init__(self) -> None:
        """Raises `ConfigError` for windows that leave gaps, scales or a temperature out of range."""
        if not self.scales or not all(0 < scale <= LARGEST_SCALE for scale in self.scales):
            raise ConfigError(
                f"scales of windows must be numbers over 0, at most {LARGEST_SCALE}, not {self.scales or 'none'}."
            )
        if self.smoothing < 0:
            raise ConfigError(f"the smoothing of windows must be 0 or more, not {self.smoothing}.")
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


@dataclass(frozen=True)
class Sight:
    """How the teacher sees a picture in a step: the shift of the windows, pixels, and the scales they are read at."""

    shift: int
    scales: tuple[float, ...]


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

    def draw(self, generator: torch.Generator) -> Sight:
        """The shift (0 .. stride - 1 pixels) and the scale of the windows in a step; none and all if not moved."""
        shift, scales = 0, self.config.scales
        if self.config.moved:
            shift = _drawn(self.config.stride, generator)
            scales = (scales[_drawn(len(scales), generator)],) if len(scales) > 1 else scales
        return Sight(shift, scales)

    @torch.no_grad()
    def __call__(self, images: Float[Tensor, "B 3 S S"], sight: Sight | None = None) -> Float[Tensor, "B P D"]:
        """The target of every patch: the mean of the windows' cells (of length 1) that overlap it, by their overlap.

        `images`: values 0..1; `sight`: by default windows that are not shifted, at all scales.
        """
        sight = sight or Sight(0, self.config.scales)
        starts = window_starts(images.shape[-1], self.config.side, self.config.stride, sight.shift)
        found = torch.stack([self._read(images, starts, scale) for scale in sight.scales]).mean(dim=0)
        return smoothed(found, self.config.smoothing) if self.config.smoothing else found

    def _read(self, images: Float[Tensor, "B 3 S S"], starts: Sequence[int], scale: float) -> Float[Tensor, "B P D"]:
        """The targets from windows at one scale."""
        places = [(top, left) for top in starts for left in starts]
        cells = torch.stack([self._cells(image, places, scale) for image in images])
        cells = rearrange(cells, "b (i j) g h d -> b i j g h d", i=len(starts))
        side, pixels = self.config.side, images.shape[-1]
        overlap = cell_overlaps(starts, side, cells.shape[3], pixels, self.grid).to(cells)
        down = torch.einsum("bijghd,igp->bjhpd", cells, overlap)
        total = torch.einsum("bjhpd,jhq->bpqd", down, overlap)
        weight = overlap.sum(dim=(0, 1))
        return (total / (weight[:, None] * weight)[..., None]).flatten(1, 2)

    def _cells(
        self, image: Float[Tensor, "3 S S"], places: Sequence[tuple[int, int]], scale: float
    ) -> Float[Tensor, "W G G D"]:
        """The embeddings of all cells of the windows of an image, at length 1; every second window is seen flipped.

        Cells that are larger than the student's patches are interpolated linearly to their size.
        """
        side, patch, found = self.config.side, self.read_out.multiple, list[Tensor]()
        count = max(1, round(side * scale / patch))
        fine = max(count, round(side * self.grid / image.shape[-1]))
        flipped = torch.tensor([self.config.moved and place % 2 == 1 for place in range(len(places))])
        for start in range(0, len(places), WINDOWS_AT_ONCE):
            some, turned = places[start : start + WINDOWS_AT_ONCE], flipped[start : start + WINDOWS_AT_ONCE]
            windows = torch.stack([image[:, top : top + side, left : left + side] for top, left in some])
            windows = resize(windows, (count * patch, count * patch)) if count * patch != side else windows
            turned = turned.to(windows.device)[:, None, None, None]
            windows = torch.where(turned, windows.flip(-1), windows)
            cells = F.normalize(self.read_out.patches(windows).float(), dim=-1)
            cells = rearrange(cells, "w (g h) d -> w d g h", g=count)
            cells = F.interpolate(cells, (fine, fine), mode="bilinear") if fine > count else cells
            found.append(rearrange(torch.where(turned, cells.flip(-1), cells), "w d g h -> w g h d"))
        return torch.cat(found)


def smoothed(targets: Float[Tensor, "B P D"], temperature: float) -> Float[Tensor, "B P D"]:
    """Each patch's mean of all patches of its picture, weighted by the softmax of their cosines with it / temperature.

    As of length 1. What a place is shows better in the mean of all that looks like it (`docs/log.md`).
    """
    units = F.normalize(targets, dim=-1)
    return (units @ units.transpose(1, 2) / temperature).softmax(dim=-1) @ units


def _drawn(count: int, generator: torch.Generator) -> int:
    return int(torch.randint(count, (), generator=generator, device=generator.device))


def window_starts(length: int, side: int, stride: int, shift: int = 0) -> list[int]:
    """Where windows begin along an axis of `length` pixels: at `shift`, every `stride` from there, and at both ends."""
    last = length - side
    return sorted({0, last, *range(shift, last + 1, stride)})


def cell_overlaps(starts: Sequence[int], side: int, cells: int, length: int, grid: int) -> Float[Tensor, "I G L"]:
    """The fraction of each patch, 0..1, that each cell of each window covers, along one axis.

    `side`: of a window, in pixels, and `cells`: along it; `length`: of the axis, in pixels; `grid`: patches along it.
    """
    places = [start + side * number / cells for start in starts for number in range(cells)]
    return covered_fractions(places, side / cells, length, grid).unflatten(0, (len(starts), cells))
