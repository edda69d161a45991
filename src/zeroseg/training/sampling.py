"""Which samples a step uses: a function of seed and step only, so that a resumed run gives the same weights.

Letters: B sample of a batch, C anything, W the last axis.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Shaped
from torch import Tensor


def numbers_of(step: int, size: int, count: int, seed: int) -> list[int]:
    """The samples (0 .. count - 1) of step 0, 1, 2 ...: every epoch has its own order; batches may cross epochs."""
    order: dict[int, np.ndarray] = {}
    chosen: list[int] = []
    for place in range(step * size, (step + 1) * size):
        epoch = place // count
        if epoch not in order:
            order[epoch] = np.random.default_rng([seed, epoch]).permutation(count)
        chosen.append(int(order[epoch][place % count]))
    return chosen


def flipped(step: int, size: int, seed: int) -> Bool[Tensor, " B"]:
    """Which samples of a step are flipped horizontally: about half of them."""
    return torch.from_numpy(np.random.default_rng([seed, 7, step]).random(size) < 0.5)


def hflip(images: Shaped[Tensor, "B *C W"], which: Bool[Tensor, " B"]) -> Shaped[Tensor, "B *C W"]:
    """The images; those that `which` marks are flipped horizontally."""
    return torch.where(which.view(-1, *[1] * (images.ndim - 1)), images.flip(-1), images)
