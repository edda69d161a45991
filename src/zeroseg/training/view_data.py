"""Images with the teacher's embeddings of their views, in batches.

Letters: B image, V view, D embedding width, S pixels along a side.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from zeroseg.errors import ImageError, TrainingError
from zeroseg.feature_cache import FeatureCache
from zeroseg.squares import square_of_file
from zeroseg.training.batch import Batch
from zeroseg.training.loop import LoopConfig
from zeroseg.training.sampling import flipped, numbers_of


@dataclass
class ViewBatch(Batch):
    """Square images (0..255), the cached embeddings of their views (0 of them without a cache), and which to flip."""

    images: UInt8[Tensor, "B 3 S S"]
    features: Float[Tensor, "B V D"]
    flipped: Bool[Tensor, " B"]


def cached_images(images: Sequence[Path], cache: FeatureCache) -> list[tuple[Path, str]]:
    """The images that are in the cache, with their keys; a warning says how many others there are.

    Raises `TrainingError` if none of them is in the cache, `ImageError` for one that cannot be read.
    """
    keys = cache.index.keys(images)
    known = [(path, key) for path, key in zip(images, keys, strict=True) if key in cache]
    if not known:
        raise TrainingError(
            f"the cache {cache.folder} holds none of the {len(images)} images: run `zeroseg cache` on them first."
        )
    if len(known) < len(images):
        logging.getLogger(__name__).warning(
            "%d of %d images are not in the cache %s and are left out",
            len(images) - len(known), len(images), cache.folder,
        )  # fmt: skip
    return known


class ViewData:
    """Images and their cached features, if there is a cache, in an order that depends only on seed and epoch."""

    def __init__(
        self,
        images: Sequence[Path],
        cache: FeatureCache | None,
        side: int,
        loop: LoopConfig,
        flips: bool = False,
        first_images: int = 0,
    ) -> None:
        """Takes the first `first_images` images that are in the cache, or all (0). `side`: of the squares, pixels.

        Without a cache all images count, and one that cannot be read is replaced by the next one, with a warning.
        Raises `TrainingError` and `ImageError` as `cached_images` does.
        """
        known: list[tuple[Path, str | None]] = [(path, None) for path in images]
        if cache is not None:
            known = [*cached_images(images, cache)]
        self.images = known[: first_images or None]
        self.cache = cache
        self._side, self._loop, self._flips = side, loop, flips

    def batch(self, step: int) -> ViewBatch:
        """The batch of step 0, 1, 2 ... (`training.sampling`).

        Raises `ImageError` for an image that can no longer be read, or that has changed since it was cached.
        """
        size, seed = self._loop.batch_size, self._loop.seed
        numbers = numbers_of(step, size, len(self.images), seed)
        keys = [self.images[n][1] for n in numbers]
        return ViewBatch(
            torch.stack([self._square(number) for number in numbers]),
            torch.stack([torch.empty(0, 0) if key is None or self.cache is None else self.cache[key] for key in keys]),
            flipped(step, size, seed) & self._flips,
            names=[self.images[n][0].name for n in numbers],
        )

    def _square(self, number: int, tried: int = 0) -> UInt8[Tensor, "3 S S"]:
        """The square of an image; without a cache the next image's if it cannot be read, `tried` so far."""
        path, key = self.images[number]
        try:
            return square_of_file(path, self._side, key)
        except ImageError as error:
            if self.cache is not None or tried + 1 >= len(self.images):
                raise
            logging.getLogger(__name__).warning("%s Another image takes its place.", error)
            return self._square((number + 1) % len(self.images), tried + 1)
