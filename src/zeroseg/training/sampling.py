"""Which samples a step uses: a function of seed and step only, so that a resumed run gives the same weights.

Letters: B sample of a batch, C sample of an epoch or anything, W the last axis, R round of a permutation.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Bool, Int, Shaped, UInt64
from torch import Tensor

LARGEST_LIST = 2**22  # samples
ROUNDS = 6
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


def numbers_of(step: int, size: int, count: int, seed: int) -> list[int]:
    """The samples (0 .. count - 1) of step 0, 1, 2 ...: every epoch has its own order; batches may cross epochs.

    The order of an epoch is a random permutation. Up to `LARGEST_LIST` samples it is a list that is made once an
    epoch; for more of them, in which a list would take 32 MB and more in each process, it is `permuted`.
    """
    places = np.arange(step * size, (step + 1) * size)
    epochs, within = np.divmod(places, count)
    chosen = np.empty(size, dtype=np.int64)
    for epoch in np.unique(epochs).tolist():
        here = epochs == epoch
        if count <= LARGEST_LIST:
            chosen[here] = _order(seed, epoch, count)[within[here]]
        else:
            chosen[here] = permuted(within[here], count, (seed, epoch))
    return chosen.tolist()


@lru_cache(maxsize=4)  # of two epochs, for two sources
def _order(seed: int, epoch: int, count: int) -> Int[np.ndarray, " C"]:
    """All samples in the order of an epoch."""
    return np.random.default_rng([seed, epoch]).permutation(count)


def permuted(places: Int[np.ndarray, " B"], count: int, key: tuple[int, ...]) -> Int[np.ndarray, " B"]:
    """The numbers (0 .. count - 1) at some places of a random permutation that no list holds.

    A Feistel network over the next even number of bits: half of the bits are changed by a hash of the other half, which
    can be undone whatever the hash is (Luby and Rackoff 1988). Numbers that are too large go through it again until
    they are small enough (cycle walking, Black and Rogaway 2002); fewer than three in four are too large.
    """
    half = max(1, (int(count - 1).bit_length() + 1) // 2)
    keys = np.random.default_rng(key).integers(0, 2**63, ROUNDS, dtype=np.uint64)
    numbers = _mixed(places.astype(np.uint64), half, keys)
    while (outside := numbers >= count).any():
        numbers[outside] = _mixed(numbers[outside], half, keys)
    return numbers.astype(np.int64)


def _mixed(numbers: UInt64[np.ndarray, " B"], half: int, keys: UInt64[np.ndarray, " R"]) -> UInt64[np.ndarray, " B"]:
    """A permutation of the numbers of 2 x `half` bits."""
    shift, mask = np.uint64(half), np.uint64(2**half - 1)
    left, right = numbers >> shift, numbers & mask
    for key in keys:
        hashed = (right ^ key) * MULTIPLIER  # splitmix64 (Steele, Lea and Flood 2014), modulo 2^64
        hashed = (hashed ^ (hashed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        hashed = (hashed ^ (hashed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        left, right = right, left ^ ((hashed ^ (hashed >> np.uint64(31))) & mask)
    return (left << shift) | right


def flipped(step: int, size: int, seed: int) -> Bool[Tensor, " B"]:
    """Which samples of a step are flipped horizontally: about half of them."""
    return torch.from_numpy(np.random.default_rng([seed, 7, step]).random(size) < 0.5)


def hflip(images: Shaped[Tensor, "B *C W"], which: Bool[Tensor, " B"]) -> Shaped[Tensor, "B *C W"]:
    """The images; those that `which` marks are flipped horizontally."""
    return torch.where(which.view(-1, *[1] * (images.ndim - 1)), images.flip(-1), images)
