"""Building a cache: images are read ahead, embedded many at a time, and written in shards.

The unit of work is a block: the images of at most one shard. Blocks know nothing of each other, so they are shared
among processes (`part`) or machines, and a run that was interrupted does what is left. What is in the cache already is
found by the index, and not embedded again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from numpy.typing import NDArray
from torch import Tensor

from zeroseg.errors import ImageError, OutputError
from zeroseg.feature_cache.decoding import Read, Reads, read_ahead
from zeroseg.feature_cache.embedding import embed_own_views, embed_views, most_pixels
from zeroseg.feature_cache.manifest import DamagedManifestError, Manifest, read_manifest
from zeroseg.feature_cache.quarantine import change_quarantine, read_quarantine
from zeroseg.feature_cache.reading import FeatureCache
from zeroseg.feature_cache.shard import DamagedShardError, open_shard, shards_of, write_shard
from zeroseg.feature_cache.written import LETTERS, SHARDS, Written
from zeroseg.files import TEMPORARY, append_line, cannot_write
from zeroseg.image_index import Stamp, as_numbers, image_key, read_image_file
from zeroseg.squares import read_own_square, read_square
from zeroseg.teacher import Teacher
from zeroseg.views import ViewsConfig

SHARD = 256  # images in a shard: the most that a crash can lose
CHUNK = 32  # images whose views are embedded at once
DAMAGED = ".damaged"  # what is added to the name of a shard that is set aside
LONGEST_WRITING = 3600.0  # seconds
REOPENED = 65_536  # images after which the keys of new ones are read from the shards again
Progress = Callable[[int], None]


@dataclass(frozen=True)
class Block:
    """What became of some images, in numbers, and why some could not be read (by path)."""

    embedded: int = 0
    found: int = 0  # were in the cache already
    unreadable: dict[str, str] = field(default_factory=dict[str, str])


@dataclass
class CacheReport:
    """What a run has done, in numbers of images; and the shards that it set aside because they were damaged."""

    embedded: int = 0
    found: int = 0
    unreadable: int = 0
    set_aside: list[Path] = field(default_factory=list[Path])

    def count(self, block: Block) -> None:
        """Add a block."""
        self.embedded += block.embedded
        self.found += block.found
        self.unreadable += len(block.unreadable)


class Builder:
    """Makes blocks of one cache. Raises `CacheError` if the folder has a cache of another teacher or other views."""

    def __init__(self, teacher: Teacher, views: ViewsConfig, folder: Path, chunk: int = CHUNK) -> None:
        """A new cache is begun if there is none. `chunk`: images that are embedded at once."""
        self.teacher, self.views, self.folder, self.chunk = teacher, views, folder, chunk
        self.manifest = Manifest.of(teacher, views)
        try:
            former = read_manifest(folder)
            if former is None and not self.manifest.begin(folder):
                former = read_manifest(folder)
            if former is not None:
                former.expect(folder, self.manifest)
            self.set_aside = set_aside_damaged(folder, self.manifest)
        except DamagedManifestError:
            self.set_aside = set_aside_damaged(folder, self.manifest)  # raises for shards of another cache
            self.manifest.restore(folder)
        remove_left_behind(folder)
        self.cache = FeatureCache(folder)
        self._listed = read_quarantine(folder)
        self._seen = set[str]()

    def read(self, path: Path) -> tuple[Path, Read | ImageError]:
        """Read an image, unless the cache holds it."""
        try:
            stamp = Stamp.of(path)
            known = self.cache.index.find(stamp)
            if known is not None and known in self.cache:
                return path, Read(known)
            data = read_image_file(path)
            key = image_key(data)
            square = None if key in self.cache else self._square(data, repr(str(path)))
            return path, Read(key, square, stamp if known != key else None)
        except ImageError as error:
            return path, error
        except OSError as error:
            return path, ImageError(f"{path} cannot be read: {error.strerror}.")

    def make(self, reads: Reads, progress: Progress = lambda _: None) -> Block:
        """Embed a block of images that were read, and write what is new. `progress` gets numbers of images."""
        new, unreadable, mended = dict[str, Tensor](), dict[str, str](), set[str]()
        for path, read in reads:
            if isinstance(read, ImageError):
                unreadable[str(path)] = str(read)
                continue
            if str(path) in self._listed:
                mended.add(str(path))
            if read.stamp is not None:
                self.cache.index.add(read.stamp, read.key)
            if read.square is not None and read.key not in self._seen:
                new[read.key] = read.square
        self.cache.index.flush()
        change_quarantine(self.folder, unreadable, mended)
        progress(len(reads) - len(new))
        if new:
            self._write(new, progress)
        return Block(len(new), len(reads) - len(new) - len(unreadable), unreadable)

    def _square(self, data: bytes, name: str) -> UInt8[Tensor, "3 _ _"]:
        if self.views.own_resolution:
            return read_own_square(data, most_pixels(self.teacher, self.views), name)
        return read_square(data, self.views.side, name)

    def _write(self, squares: dict[str, Tensor], progress: Progress) -> None:
        """Embed squares, and write a shard of what is embedded, also after an interruption."""
        features, keys, every = list[NDArray[np.float16]](), list(squares), list(squares.values())
        try:
            for start in range(0, len(every), self.chunk):
                some = every[start : start + self.chunk]
                features.append(self._embedded(some).half().numpy())
                progress(len(some))
        finally:
            if features:
                written = np.concatenate(features)
                keys = keys[: len(written)]
                path = write_shard(self.folder, self.manifest, np.stack([as_numbers(key) for key in keys]), written)
                append_line(self.folder / SHARDS, Written(path.stem, "".join(key[:LETTERS] for key in keys)).line)
                self._seen |= set(keys)
        if len(self._seen) >= REOPENED:
            self.cache, self._seen = FeatureCache(self.folder), set()

    def _embedded(self, squares: Sequence[UInt8[Tensor, "3 _ _"]]) -> Tensor:
        if self.views.own_resolution:
            return embed_own_views(self.teacher, self.views, squares)
        return embed_views(self.teacher, self.views, torch.stack([*squares]))


def build_cache(
    images: Sequence[Path],
    teacher: Teacher,
    views: ViewsConfig,
    folder: Path,
    progress: Progress = lambda _: None,
    *,
    shard: int = SHARD,
    chunk: int = CHUNK,
    part: tuple[int, int] = (0, 1),
    workers: int = 0,
) -> CacheReport:
    """Embed the views of all images that the cache does not hold yet.

    `progress` is called with the number of images done since its last call. `shard`: images that are written at once,
    `chunk`: images that are embedded at once. `part`: which of how many processes this is; each has its own blocks.
    `workers`: processes that read images; 0: threads do.
    Raises `CacheError` when the folder has a cache of another teacher or other views, `OutputError` when it cannot be
    written.
    """
    builder = Builder(teacher, views, folder, chunk)
    report = CacheReport(set_aside=builder.set_aside)
    for reads in read_ahead(builder.read, blocks(images, shard)[part[0] :: part[1]], workers):
        report.count(builder.make(reads, progress))
    return report


def blocks(images: Sequence[Path], shard: int = SHARD) -> list[Sequence[Path]]:
    """The images of each block."""
    return [images[start : start + shard] for start in range(0, len(images), shard)]


def remove_left_behind(folder: Path) -> None:
    """Remove what processes that were killed while they wrote have left: no file is written for so long."""
    for path in [*folder.glob(f"{TEMPORARY}*"), *folder.glob(f"*/{TEMPORARY}*")]:
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > LONGEST_WRITING:
                path.unlink()


def set_aside_damaged(folder: Path, manifest: Manifest) -> list[Path]:
    """Set aside shards that cannot be opened, so that their images are embedded again; returns their new names."""
    found = list[Path]()
    for path in shards_of(folder):
        try:
            open_shard(path, manifest)
        except DamagedShardError:
            found.append(set_aside(path))
    return found


def set_aside(shard: Path) -> Path:
    """Give a shard another name, under which it does not count; returns it. Raises `OutputError`."""
    path = shard.with_name(shard.name + DAMAGED)
    try:
        with suppress(FileNotFoundError):  # another process has done it just before
            shard.rename(path)
    except OSError as error:
        raise OutputError(cannot_write(path, error)) from error
    return path
