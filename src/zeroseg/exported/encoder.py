"""An exported student as an `ImageEncoder`.

Letters: B image, H W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from zeroseg.encoding import Encoded, Size
from zeroseg.errors import WeightsError
from zeroseg.exported.folder import IMAGE, PATCHES, PIXELS, Description
from zeroseg.exported.networks import open_network


class ExportedEncoder:
    """A student from its exported network: what `StudentEncoder` is for one of torch.

    `method` identifies its files (`encoding.fingerprint`).
    """

    def __init__(self, folder: Path, description: Description) -> None:
        """Raises `WeightsError` if the network's runtime is not installed, or cannot read its file."""
        self.config, self.method = description.student, description.fingerprint
        self.shorter_side, self.multiple = self.config.inference_size, self.config.patch_size
        self._network = open_network(description.path(folder, IMAGE), description.runtime)

    def encode(self, pixels: Float[Tensor, "B 3 H W"], sizes: Sequence[Size]) -> list[Encoded]:
        """The regions of each image (see `ImageEncoder`). Raises `WeightsError` if a side is no such multiple."""
        height, width = pixels.shape[2:]
        if height % self.multiple or width % self.multiple:
            raise WeightsError(
                f"this model sees pictures whose sides are multiples of {self.multiple} pixels, not {width} x {height}."
            )
        found = {name: torch.from_numpy(value) for name, value in self._network.run(**{PIXELS: pixels.numpy()}).items()}
        patches, grid = found.get(PATCHES), (height // self.multiple, width // self.multiple)
        return [
            Encoded(
                found["image"][n],
                None if patches is None else patches[n],
                found["segments"][n],
                found["masks"][n],
                found["teacher_mean"],
                grid,
                size,
            )
            for n, size in enumerate(sizes)
        ]
