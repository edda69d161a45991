"""A shard: the features of some images in one file, in the format of safetensors, with keys and checksums.

| tensor | shape | |
|---|---|---|
| `features` | N V D, float16 | the embeddings of an image's views, as the teacher gave them |
| `keys` | N 2, uint64 | the images' keys |
| `checksums` | N, uint32 | CRC-32 of each image's features |

The name of the file is a hash of its bytes. Opening a shard checks its size and what it says of itself; an image's
features are checked when they are read (`Shard.row`), the whole file by `damage_of`.

Letters: N image, V view, D embedding width, B byte.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import math
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float16, UInt8, UInt32, UInt64
from safetensors.numpy import save

from zeroseg.errors import CacheError
from zeroseg.feature_cache.manifest import Manifest
from zeroseg.files import write_bytes_atomically

SUFFIX = ".safetensors"
TYPES = {"F16": np.float16, "U64": np.uint64, "U32": np.uint32}
NAME = re.compile(rf"[0-9a-f]{{32}}{re.escape(SUFFIX)}")
LARGEST_HEADER = 100_000  # bytes
NOT_ITS_FAULT = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EACCES, errno.EPERM}
"""Reasons why a file cannot be read that say nothing of its content."""


class DamagedShardError(CacheError):
    """A shard that is not as it was written."""


def write_shard(
    folder: Path, manifest: Manifest, keys: UInt64[np.ndarray, "N 2"], features: Float16[np.ndarray, "N V D"]
) -> Path:
    """Write a shard; one with the same content stands. Raises `OutputError`."""
    checksums = np.array([zlib.crc32(row.data) for row in np.ascontiguousarray(features)], np.uint32)
    content = save({"features": features, "keys": keys, "checksums": checksums}, metadata=manifest.facts)
    path = folder / f"{_name(content)}{SUFFIX}"
    if not path.exists() or damage_of(path):
        write_bytes_atomically(path, content)
    return path


def shards_of(folder: Path) -> list[Path]:
    """The shards of a cache, by name; files that are being written are none."""
    return sorted(path for path in folder.iterdir() if NAME.fullmatch(path.name)) if folder.is_dir() else []


def damage_of(path: Path) -> str:
    """What is wrong with a shard, in words, from all its bytes; "" if nothing is.

    Raises `CacheError` if that cannot be known, as without permission to read it.
    """
    try:
        with path.open("rb") as file:
            return "" if _name(file) == path.stem else "its content is not what its name says"
    except OSError as error:
        _expect_its_fault(path, error)
        return f"it cannot be read ({error.strerror})"


@dataclass(frozen=True)
class Shard:
    """A shard whose arrays are mapped: what is not read takes no memory."""

    path: Path
    keys: UInt64[np.ndarray, "N 2"]
    checksums: UInt32[np.ndarray, " N"]
    features: Float16[np.ndarray, "N V D"]

    def __len__(self) -> int:
        return len(self.keys)

    def row(self, number: int) -> Float16[np.ndarray, "V D"]:
        """The features of an image. Raises `DamagedShardError` if they are not those that were written."""
        row = np.asarray(self.features[number])
        if zlib.crc32(row.data) != self.checksums[number]:
            raise damaged(self.path)
        return row


def open_shard(path: Path, manifest: Manifest) -> Shard:
    """A shard of a cache.

    Raises `DamagedShardError`, and `CacheError` for one of another cache, or for a reason that is not the shard's.
    """
    try:
        header, start = _header(path)
        said = header.pop("__metadata__")
        content = np.memmap(path, np.uint8, "r")  # once: a mapped file counts as an open one
        arrays = {name: _part(content, start, header[name]) for name in ("keys", "checksums", "features")}
        end = max(part["data_offsets"][1] for part in header.values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        _expect_its_fault(path, error)
        raise damaged(path) from error
    if said != manifest.facts:
        if damage_of(path):
            raise damaged(path)
        raise CacheError(f"{path} is of another cache, with other views or another teacher: move it out of the folder.")
    count = len(arrays["keys"])
    shapes = {"keys": (count, 2), "checksums": (count,), "features": (count, *manifest.shape)}
    if {name: array.shape for name, array in arrays.items()} != shapes or len(content) != start + end:
        raise damaged(path)
    return Shard(path, **arrays)


def damaged(path: Path) -> DamagedShardError:
    """The error for a shard, with what to do."""
    return DamagedShardError(
        f"{path} is damaged: `zeroseg cache verify {path.parent}` finds all damaged shards and sets them aside; then "
        "`zeroseg cache` on the images makes them again."
    )


def _header(path: Path) -> tuple[dict[str, Any], int]:
    """The header of a file of safetensors, and where its data begin."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 0 < length < LARGEST_HEADER:
            raise ValueError("no header of safetensors")
        return json.loads(file.read(length)), 8 + length


def _expect_its_fault(path: Path, error: Exception) -> None:
    """Raise `CacheError` if a shard could not be read for another reason than its own state."""
    if isinstance(error, OSError) and error.errno in NOT_ITS_FAULT:
        raise CacheError(f"{path} cannot be read now ({error.strerror}): correct this, and run again.") from error


def _part(content: UInt8[np.ndarray, " B"], start: int, part: dict[str, Any]) -> np.ndarray:
    """An array in the bytes of a shard."""
    kind, shape, (first, end) = np.dtype(TYPES[part["dtype"]]), tuple(part["shape"]), part["data_offsets"]
    if end - first != kind.itemsize * math.prod(shape) or min(shape) < 1 or first < 0:
        raise ValueError("offsets and shape do not fit together")
    return content[start + first : start + end].view(kind).reshape(shape)


def _name(content: bytes | Any) -> str:
    """The hash of bytes or of an open file, 32 hexadecimal digits."""
    digest = hashlib.blake2b(digest_size=16)
    if isinstance(content, bytes):
        digest.update(content)
        return digest.hexdigest()
    with contextlib.closing(content):
        while part := content.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()
