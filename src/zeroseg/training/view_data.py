"""Images with the teacher's embeddings of their views, in batches.

Letters: N image of all, B image of a batch, V view, D embedding width, S pixels along a side.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from zeroseg.errors import ImageError, TrainingError
from zeroseg.feature_cache import FeatureCache
from zeroseg.images import PathList
from zeroseg.squares import square_of_file
from zeroseg.training import processes
from zeroseg.training.batch import Batch, places_of
from zeroseg.training.loop import LoopConfig
from zeroseg.training.sampling import flipped, numbers_of

NAMES = 65_536  # of images that say which order they have


@dataclass
class ViewBatch(Batch):
    """Square images (0..255), the cached embeddings of their views (0 of them without a cache), and which to flip."""

    images: UInt8[Tensor, "B 3 S S"]
    features: Float[Tensor, "B V D"]
    flipped: Bool[Tensor, " B"]


def cached_images(images: Sequence[Path], cache: FeatureCache) -> tuple[Sequence[Path], Int64[np.ndarray, " N"]]:
    """The images that are in the cache, and their places in it; a warning says how many others there are.

    Those that cannot be read are among the others. Raises `TrainingError` if none is in the cache.
    """
    unreadable: list[ImageError] = []
    places = cache.find(images, unreadable)
    known, reason = np.flatnonzero(places >= 0), "".join(f" {error}" for error in unreadable)
    if not len(known):
        raise TrainingError(
            f"the cache {cache.folder} holds none of the {len(images)} images: run `zeroseg cache` on them first."
            f"{reason}"
        )
    if len(known) == len(images):
        return images, places
    logging.getLogger(__name__).warning(
        "%d of %d images are not in the cache %s and are left out.%s",
        len(images) - len(known), len(images), cache.folder, reason,
    )  # fmt: skip
    chosen = images.take(known) if isinstance(images, PathList) else [images[int(number)] for number in known]
    return chosen, places[known]


def order_of(images: Sequence[Path]) -> str:
    """A hash of the names of images in their order, without their folders, which may be elsewhere on another machine.

    Of very many images, names at equal distances count, so an image that is new or gone before them changes it.
    """
    digest = hashlib.blake2b(digest_size=8)
    for number in range(0, len(images), max(1, len(images) // NAMES)):
        digest.update(os.fsencode(images[number].name) + b"\0")
    return digest.hexdigest()


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
        Raises `TrainingError` if there are none, or none in the cache.
        """
        if not len(images):
            raise TrainingError("there is no image to train on: name some.")
        self.cache, places = cache, np.empty(0, np.int64)
        if cache is not None:
            images, places = cached_images(images, cache)
        self.images, self._places = images[: first_images or None], places[: first_images or None]
        self._side, self._loop, self._flips = side, loop, flips
        self._parts = processes.parts_of(loop.micro_batches)

    def batch(self, step: int) -> ViewBatch:
        """The batch of step 0, 1, 2 ... (`training.sampling`).

        Of several processes each reads the images of its own micro-batches.
        Raises `ImageError` for an image that can no longer be read, or that has changed since it was cached.
        """
        size, seed = self._loop.batch_size, self._loop.seed
        numbers = numbers_of(step, size, len(self.images), seed)
        own = self._own_places()
        none = torch.empty(0, 0)
        return ViewBatch(
            torch.stack([self._square(numbers[place]) for place in own]),
            torch.stack(
                [none if self.cache is None else self.cache.at(int(self._places[numbers[place]])) for place in own]
            ),
            flipped(step, size, seed)[own] & self._flips,
            names=[self.images[n].name for n in numbers],
            parts=self._parts,
        )

    def _own_places(self) -> list[int]:
        """The places in a batch of the images that this process has."""
        size, count = self._loop.batch_size, self._loop.micro_batches
        return [place for some in places_of(size, count, self._parts) for place in some]

    def _square(self, number: int, tried: int = 0) -> UInt8[Tensor, "3 S S"]:
        """The square of an image; without a cache the next image's if it cannot be read, `tried` so far."""
        key = None if self.cache is None else self.cache.key_at(int(self._places[number]))
        try:
            return square_of_file(self.images[number], self._side, key)
        except ImageError as error:
            if self.cache is not None or tried + 1 >= len(self.images):
                raise
            logging.getLogger(__name__).warning("%s Another image takes its place.", error)
            return self._square((number + 1) % len(self.images), tried + 1)
