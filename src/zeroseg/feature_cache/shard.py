"""A shard: the features of some images in one file, in the format of safetensors, with keys and checksums.

| tensor | shape | |
|---|---|---|
| `features` | N V D, float16 | the embeddings of an image's views, as the teacher gave them |
| `keys` | N 2, uint64 | the images' keys |
| `checksums` | N, uint32 | CRC-32 of each image's features |

The name of the file is a hash of its bytes. Opening a shard checks its size and what it says of itself; an image's
features are checked when they are read (`Shard.row`), the whole file by `damage_of`.

Letters: N image, V view, D embedding width.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float16, UInt32, UInt64
from safetensors.numpy import save

from zeroseg.errors import CacheError
from zeroseg.feature_cache.manifest import Manifest
from zeroseg.files import write_bytes_atomically

SUFFIX = ".safetensors"
TYPES = {"F16": np.float16, "U64": np.uint64, "U32": np.uint32}
NAME = re.compile(rf"[0-9a-f]{{32}}{re.escape(SUFFIX)}")
LARGEST_HEADER = 100_000  # bytes


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
    """What is wrong with a shard, in words, from all its bytes; "" if nothing is."""
    try:
        with path.open("rb") as file:
            return "" if _name(file) == path.stem else "its content is not what its name says"
    except OSError as error:
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
    """A shard of a cache. Raises `DamagedShardError`, and `CacheError` for one of another cache."""
    try:
        header, start = _header(path)
        said = header.pop("__metadata__")
        arrays = {name: _mapped(path, start, header[name]) for name in ("keys", "checksums", "features")}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise damaged(path) from error
    if said != manifest.facts:
        raise CacheError(f"{path} is of another cache, with other views or another teacher: move it out of the folder.")
    count = len(arrays["keys"])
    shapes = {"keys": (count, 2), "checksums": (count,), "features": (count, *manifest.shape)}
    end = max(part["data_offsets"][1] for part in header.values())
    if {name: array.shape for name, array in arrays.items()} != shapes or path.stat().st_size != start + end:
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


def _mapped(path: Path, start: int, part: dict[str, Any]) -> np.ndarray:
    kind, shape, (first, end) = np.dtype(TYPES[part["dtype"]]), tuple(part["shape"]), part["data_offsets"]
    if end - first != kind.itemsize * math.prod(shape) or min(shape) < 1 or first < 0:
        raise ValueError("offsets and shape do not fit together")
    return np.memmap(path, kind, "r", start + first, shape)


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
