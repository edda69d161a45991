"""Reading a cache: features by the keys of images, mapped from the disk.

Letters: N image, M key of a shard, V view, D embedding width.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt64
from torch import Tensor

from zeroseg.errors import CacheError, ImageError
from zeroseg.feature_cache.manifest import other_views, read_manifest
from zeroseg.feature_cache.shard import Shard, open_shard, shards_of
from zeroseg.image_index import ImageIndex, as_numbers, as_text
from zeroseg.key_tables import last_places
from zeroseg.teacher import Teacher
from zeroseg.views import ViewsConfig

MOST_OPEN = 32  # shards: systems limit the number of open files, some of them to few
KEY = 16  # bytes
FOR_STATISTICS = 2**18  # images, evenly spaced: more do not change a mean


class FeatureCache:
    """Read access to a cache. Raises `CacheError` if there is no cache, or if it is damaged.

    An image takes 24 bytes of memory: its key, and its place, the number of its features among those of all shards.
    """

    def __init__(self, folder: Path) -> None:
        manifest = read_manifest(folder)
        if manifest is None:
            raise CacheError(f"{folder} is not a feature cache: make one with `zeroseg cache IMAGES --out {folder}`.")
        self.folder, self.manifest = folder, manifest
        self.index = ImageIndex(folder)
        """Keys of image files: with them, images can be looked up without being read again."""
        self.views = manifest.views
        self._columns = np.arange(len(self.views.boxes()))  # positions of the views in a shard
        self._paths = shards_of(folder)
        self._open = OrderedDict[int, Shard]()
        keys, ends = bytearray(), [0]
        for number in range(len(self._paths)):
            keys += self._shard(number).keys.data  # copied: what is mapped keeps a file open
            ends.append(len(keys) // KEY)
        self._starts = np.array(ends)
        """The place of the first image of each shard, and the number of places."""
        self._keys, self._places = _sorted_keys(np.frombuffer(keys, np.uint64).reshape(-1, 2))

    @property
    def teacher(self) -> str:
        """The fingerprint of the teacher."""
        return self.manifest.teacher

    def __len__(self) -> int:
        return self._keys.shape[1]

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and int(self.places(as_numbers(key)[None])[0]) >= 0

    def __getitem__(self, key: str) -> Float[Tensor, "V D"]:
        """The embeddings of an image's views, as the teacher gave them (not normalised). Raises `KeyError`."""
        place = int(self.places(as_numbers(key)[None])[0])
        if place < 0:
            raise KeyError(key)
        return self.at(place)

    def places(self, keys: UInt64[np.ndarray, "N 2"]) -> Int64[np.ndarray, " N"]:
        """The places of images; -1 for those that are not there."""
        if not len(self):
            return np.full(len(keys), -1)
        rows = last_places(self._keys[0], keys[:, 0])
        found = (rows >= 0) & (self._keys[:, rows] == keys.T).all(axis=0)
        return np.where(found, self._places[rows], -1)

    def at(self, place: int) -> Float[Tensor, "V D"]:
        """The embeddings of the image at a place. Raises `CacheError` if they are not those that were written."""
        shard, row = self._row(place)
        return torch.from_numpy(shard.row(row)[self._columns].astype(np.float32))

    def key_at(self, place: int) -> str:
        """The key of the image at a place."""
        shard, row = self._row(place)
        return as_text(shard.keys[row])

    def find(self, images: Sequence[Path], unreadable: list[ImageError] | None = None) -> Int64[np.ndarray, " N"]:
        """The places of image files; -1 for those that are not there.

        Files that are new or changed since they were cached are read. `unreadable`: if given, the error of the first
        that cannot be read is added, and such files are not there; else it is raised (`ImageError`).
        """
        return self.places(self.index.keys(images, unreadable))

    def check(self, teacher: Teacher, views: ViewsConfig) -> None:
        """Raise `CacheError` unless the cache was made with this teacher and holds these views."""
        self.manifest.expect_teacher(self.folder, teacher.fingerprint)
        self.only(views)

    def only(self, views: ViewsConfig) -> FeatureCache:
        """The same cache with some of its views: those of `views`. Raises `CacheError` if one of them is missing."""
        places = {box: place for place, box in enumerate(self.manifest.views.boxes())}
        boxes, ours = views.boxes(), self.manifest.views
        same_pixels = (views.side, views.own_resolution) == (ours.side, ours.own_resolution)
        if not same_pixels or not places.keys() >= set(boxes):
            raise other_views(self.folder, ours, views)
        some = copy.copy(self)
        some.views, some._columns = views, np.array([places[box] for box in boxes])
        return some

    def statistics(self, normalise: bool = True) -> tuple[Float[Tensor, " D"], float]:
        """The mean over images and views, and the root mean square of the embeddings minus that mean.

        `normalise`: scale each embedding to length 1 first. Of very many images, `FOR_STATISTICS` are taken. Raises
        `CacheError` if the cache is empty, or if features are not those that were written.
        """
        total, square, count = 0.0, 0.0, 0
        step = max(1, int(self._starts[-1]) // FOR_STATISTICS)
        for number in range(len(self._paths)):
            first = -int(self._starts[number]) % step
            shard = self._shard(number)
            read = [shard.row(row)[self._columns] for row in range(first, len(shard), step)]
            rows = np.array(read, np.float64).reshape(-1, shard.features.shape[-1])
            if normalise:
                rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
            total, square, count = total + rows.sum(axis=0), square + (rows**2).mean(axis=1).sum(), count + len(rows)
        if not count:
            raise CacheError(f"the cache {self.folder} is empty: no image in it could be read.")
        mean = np.asarray(total) / count
        return torch.from_numpy(mean).float(), float(np.sqrt(square / count - (mean**2).mean()))

    def _row(self, place: int) -> tuple[Shard, int]:
        number = int(np.searchsorted(self._starts, place, side="right")) - 1
        return self._shard(number), place - int(self._starts[number])

    def _shard(self, number: int) -> Shard:
        """A shard, opened if it is not one of the latest."""
        shard = self._open.pop(number, None) or open_shard(self._paths[number], self.manifest)
        self._open[number] = shard
        if len(self._open) > MOST_OPEN:
            self._open.popitem(last=False)
        return shard


def _sorted_keys(keys: UInt64[np.ndarray, "M 2"]) -> tuple[UInt64[np.ndarray, "2 N"], Int64[np.ndarray, " N"]]:
    """The keys of all shards, sorted, each once, in two rows, and their places."""
    order = np.lexsort((keys[:, 1], keys[:, 0]))
    every = keys[order]
    is_new = np.append(True, (every[1:] != every[:-1]).any(axis=1))[: len(every)]
    return np.ascontiguousarray(every[is_new].T), order[is_new]
