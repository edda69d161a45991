"""The keys of image files, kept in the folder of a cache, so that the bytes of an image are read and hashed once.

The index has one row for each image that was read: a hash of its path, size and time of change, and its key. If the
size or the time of a file has changed, it is read again, and gets a new row; the old one stays. Only files that have
not changed for two seconds are kept: file systems have clocks of limited resolution, so a second change soon after the
first might not change the time.

Rows are in sorted tables, each a file that never changes (`zeroseg.key_tables`), so any number of processes may add to
an index, and it takes no memory that grows with it: tables are mapped, not read.

Letters: N image.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt64

from zeroseg.archives import is_streamed, read_bytes, status_of
from zeroseg.errors import ImageError
from zeroseg.key_tables import KeyTables

NAME = "index"  # of the folder in the folder of a cache
BATCH = 65_536  # rows (images) that are written at once
SETTLED = 2 * 10**9  # nanoseconds since the last change of a file
UNKNOWN = bytes(16)  # the digest of no file


def image_key(data: bytes) -> str:
    """The key of an image file: a hash of its bytes, 32 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()[:32]


def read_image_file(path: Path, key: str | None = None) -> bytes:
    """The bytes of an image file. Raises `ImageError` if it cannot be read, or if its key is no longer `key`."""
    try:
        data = read_bytes(path)
    except OSError as error:
        raise _unreadable(path, error, is_needed=key is not None) from error
    if key is not None and image_key(data) != key:
        raise ImageError(f"{str(path)!r} has changed since it was cached: run `zeroseg cache` on the images again.")
    return data


def _unreadable(path: Path, error: OSError, is_needed: bool = False) -> ImageError:
    advice = "restore it" if is_needed else "remove it from the images, or restore it"
    return ImageError(f"{str(path)!r} cannot be read ({error.strerror}): {advice}.")


@dataclass(frozen=True)
class Stamp:
    """What identifies a file without reading it."""

    text: bytes
    """Size in bytes, time of the last change in nanoseconds, absolute path (its bytes: it need not be text)."""
    is_kept: bool
    """Whether a later change would change the time."""

    @classmethod
    def of(cls, path: Path) -> Stamp:
        """The stamp of a file as it is now. Raises `OSError`."""
        status, whole = status_of(path), os.fsencode(path if is_streamed(path) else path.absolute())
        is_settled = abs(time.time_ns() - status.changed_ns) > SETTLED
        return cls(b"%d\t%d\t%s" % (status.size, status.changed_ns, whole), is_settled)

    @property
    def digest(self) -> bytes:
        """16 bytes."""
        return hashlib.blake2b(self.text, digest_size=16).digest()


class ImageIndex:
    """Keys of image files by path, size and time.

    A folder that cannot be written to is not an error: new keys are then lost at the end of the process.
    """

    def __init__(self, folder: Path) -> None:
        self._tables = KeyTables(folder / NAME)
        self._recent: dict[bytes, bytes] = {}

    def find(self, stamp: Stamp) -> str | None:
        """The key of a file if it was read before and has not changed since, else None."""
        digest = stamp.digest
        recent = self._recent.get(digest)
        if recent is not None:
            return recent.hex()
        values, found = self._tables.find(np.frombuffer(digest, np.uint64)[None])
        return values[0].tobytes().hex() if found[0] else None

    def add(self, stamp: Stamp, key: str) -> None:
        """Keep the key of a file. `stamp` was taken before the file was read. `flush` writes it, at the latest."""
        if stamp.is_kept:
            self._recent[stamp.digest] = bytes.fromhex(key)
        if len(self._recent) >= BATCH:
            self.flush()

    def keys(self, images: Sequence[Path], unreadable: list[ImageError] | None = None) -> UInt64[np.ndarray, "N 2"]:
        """The key of every file, as two numbers (`as_numbers`); new and changed files are read.

        `unreadable`: if given, files that cannot be read have the key 0, and the error of the first of them is added;
        else it is raised (`ImageError`).
        """
        keys = np.zeros((len(images), 2), np.uint64)
        try:
            for first in range(0, len(images), BATCH):
                some = images[first : first + BATCH]
                stamps = [_stamp(path) for path in some]
                digests = b"".join(UNKNOWN if isinstance(one, ImageError) else one.digest for one in stamps)
                values, found = self._tables.find(np.frombuffer(digests, np.uint64).reshape(-1, 2))
                for place in map(int, np.flatnonzero(~found)):
                    key = self._key(some[place], stamps[place])
                    if not isinstance(key, ImageError):
                        values[place] = as_numbers(key)
                    elif unreadable is None:
                        raise key
                    elif not unreadable:
                        unreadable.append(key)
                keys[first : first + len(some)] = values
        finally:
            self.flush()
        return keys

    def flush(self) -> None:
        """Write new keys."""
        if self._recent and self._tables.add(
            np.frombuffer(b"".join(self._recent), np.uint64).reshape(-1, 2),
            np.frombuffer(b"".join(self._recent.values()), np.uint64).reshape(-1, 2),
        ):
            self._recent = {}

    def _key(self, path: Path, stamp: Stamp | ImageError) -> str | ImageError:
        if isinstance(stamp, ImageError):
            return stamp
        key = self.find(stamp)
        if key is None:
            try:
                key = image_key(read_image_file(path))
            except ImageError as error:
                return error
            self.add(stamp, key)
        return key


def as_numbers(key: str) -> UInt64[np.ndarray, " 2"]:
    """A key as two numbers: a row of arrays of keys."""
    return np.frombuffer(bytes.fromhex(key), np.uint64)


def as_text(numbers: UInt64[np.ndarray, " 2"]) -> str:
    """A key from two numbers."""
    return numbers.tobytes().hex()


def _stamp(path: Path) -> Stamp | ImageError:
    """The stamp of a file, or why there is none."""
    try:
        return Stamp.of(path)
    except OSError as error:
        return _unreadable(path, error)
    except ImageError as error:
        return error
