"""Large pictures in windows, as some evaluation protocols need: each window is encoded separately.

Letters: B image, D embedding width, H W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from zeroseg.baselines.windows import starts
from zeroseg.encoding import Encoded, ImageEncoder, Size, Window
from zeroseg.errors import ConfigError


class Windowed:
    """Another encoder, with pictures of another size, and in square windows if `window` is given. An `ImageEncoder`.

    Windows begin every `stride` pixels, and the last one ends at the edge of the picture; if a side is shorter than the
    window, it is not cut. In overlaps, similarities with words are averaged (`Encoded.similarities`).
    """

    def __init__(self, encoder: ImageEncoder, shorter_side: int, window: int | None = None, stride: int | None = None):
        """`shorter_side`: of the resized pictures; all sides in pixels. Without `stride` windows do not overlap.

        Raises `ConfigError` unless window and stride are whole cells, and the stride no longer than the window.
        """
        stride = stride or window
        if window and stride and (stride > window or window % encoder.multiple or stride % encoder.multiple):
            raise ConfigError(
                f"windows of {window} pixels every {stride} do not fit cells of {encoder.multiple}: choose multiples "
                "of it, the stride no longer than the window."
            )
        self.encoder, self.window, self.stride = encoder, window, stride
        self.shorter_side, self.multiple = shorter_side, encoder.multiple

    def encode(self, pixels: Float[Tensor, "B 3 H W"], sizes: Sequence[Size]) -> list[Encoded]:
        """The windows of each picture (see `ImageEncoder`); its embedding is the mean of those of its windows."""
        if not self.window or not self.stride:
            return self.encoder.encode(pixels, sizes)
        height, width = pixels.shape[2:]
        down, across = min(self.window, height), min(self.window, width)
        cell = self.multiple
        windows: list[list[Window]] = [[] for _ in sizes]
        for top in starts(height, down, self.stride):
            for left in starts(width, across, self.stride):
                part = pixels[:, :, top : top + down, left : left + across]
                found = self.encoder.encode(part, [(down, across)] * len(sizes))
                for ours, encoded in zip(windows, found, strict=True):
                    ours.append(Window(top // cell, left // cell, encoded))
        grid = (height // cell, width // cell)
        return [_together(ours, grid, size) for ours, size in zip(windows, sizes, strict=True)]


def _together(windows: Sequence[Window], grid: Size, size: Size) -> Encoded:
    """An encoded picture from its windows."""
    image = torch.stack([window.encoded.image for window in windows]).mean(dim=0)
    return Encoded(image, None, None, None, windows[0].encoded.mean, grid, size, windows=tuple(windows))
