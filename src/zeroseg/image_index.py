"""The keys of image files, kept in a file of the cache, so that the bytes of an image are read and hashed once.

The index has one line for each image that was read: its key, size, time of change and path, separated by tabs. If the
size or the time of a file has changed, it is read again, and a new line is appended; the old line stays. Only files
that have not changed for two seconds are kept: file systems have clocks of limited resolution, so a second change soon
after the first might not change the time.

In memory an image takes 40 bytes: a hash of size, time and path, its key, and half of the hash once more.

Letters: N image.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt64

from zeroseg.errors import ImageError

NAME = "images.v1.tsv"  # a new format gets a new name
BATCH = 4096  # lines (images) that are written at once
MOST_RECENT = 65_536
SETTLED = 2 * 10**9  # nanoseconds since the last change of a file
KEY = re.compile(rb"[0-9a-f]{32}")


def image_key(data: bytes) -> str:
    """The key of an image file: a hash of its bytes, 32 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()[:32]


def read_image_file(path: Path, key: str | None = None) -> bytes:
    """The bytes of an image file. Raises `ImageError` if it cannot be read, or if its key is no longer `key`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error
    if key is not None and image_key(data) != key:
        raise ImageError(f"{str(path)!r} has changed since it was cached: run `zeroseg cache` on the images again.")
    return data


def _unreadable(path: Path, error: OSError) -> ImageError:
    return ImageError(f"{str(path)!r} cannot be read ({error.strerror}): remove it from the images, or restore it.")


@dataclass(frozen=True)
class Stamp:
    """What identifies a file without reading it."""

    text: bytes
    """Size in bytes, time of the last change in nanoseconds, absolute path (its bytes: it need not be text)."""
    is_kept: bool
    """Whether a later change would change the time, and the path is a single line."""

    @classmethod
    def of(cls, path: Path) -> Stamp:
        """The stamp of a file as it is now. Raises `OSError`."""
        status, whole = path.stat(), os.fsencode(path.absolute())
        is_settled = abs(time.time_ns() - status.st_mtime_ns) > SETTLED
        text = b"%d\t%d\t%s" % (status.st_size, status.st_mtime_ns, whole)
        return cls(text, is_settled and b"\n" not in whole)


class ImageIndex:
    """Keys of image files by path, size and time. The index file is read when it is first needed.

    A folder that cannot be written to is not an error: new keys are then lost at the end of the process.
    """

    def __init__(self, folder: Path, most_recent: int = MOST_RECENT) -> None:
        """`most_recent`: images that are held as objects, before they join the arrays."""
        self.path, self._most_recent = folder / NAME, most_recent
        self._rows: tuple[UInt64[np.ndarray, " N"], UInt64[np.ndarray, "N 4"]] | None = None
        self._recent: dict[bytes, bytes] = {}
        self._lines: list[bytes] = []
        self._reading = threading.Lock()

    def find(self, stamp: Stamp) -> str | None:
        """The key of a file if it was read before and has not changed since, else None."""
        digest = _digest(stamp.text)
        recent = self._recent.get(digest)
        if recent is not None:
            return recent.hex()
        places, rows = self._read()
        number = int(np.searchsorted(places, np.frombuffer(digest, np.uint64)[0], side="right")) - 1
        row = rows[number].tobytes() if number >= 0 else b""
        return row[len(digest) :].hex() if row.startswith(digest) else None

    def add(self, stamp: Stamp, key: str) -> None:
        """Keep the key of a file. `stamp` was taken before the file was read. `flush` writes it, at the latest."""
        if stamp.is_kept:
            self._recent[_digest(stamp.text)] = bytes.fromhex(key)
            self._lines.append(key.encode() + b"\t" + stamp.text + b"\n")
        if len(self._lines) >= BATCH:
            self.flush()
        if len(self._recent) >= self._most_recent:
            rows = _as_rows(b"".join(digest + key for digest, key in self._recent.items()))
            self._rows = _sorted(np.concatenate([self._read()[1], rows]))
            self._recent = {}

    def keys(self, images: Sequence[Path]) -> list[str]:
        """The key of every file; new and changed files are read. Raises `ImageError` if one cannot be read."""
        try:
            return [self._key(path) for path in images]
        finally:
            self.flush()

    def flush(self) -> None:
        """Append new lines to the index file. Other processes may append to it at the same time."""
        if self._lines:
            # A crash may have cut off the last line: the first new line must not continue it.
            text, self._lines = b"\n" + b"".join(self._lines), []
            with contextlib.suppress(OSError), self.path.open("ab", buffering=0) as file:
                file.write(text)

    def _key(self, path: Path) -> str:
        try:
            stamp = Stamp.of(path)
            key = self.find(stamp)
            if key is None:
                key = image_key(read_image_file(path))
                self.add(stamp, key)
            return key
        except OSError as error:
            raise _unreadable(path, error) from error

    def _read(self) -> tuple[UInt64[np.ndarray, " N"], UInt64[np.ndarray, "N 4"]]:
        """The contents of the index file when it was first read, by hash; damaged lines are left out."""
        with self._reading:
            if self._rows is None:
                self._rows = _sorted(_as_rows(_contents(self.path)))
            return self._rows


def _contents(path: Path) -> bytes:
    """The 32 bytes of each image that a file holds, damaged lines left out."""
    rows = bytearray()
    with contextlib.suppress(OSError), path.open("rb") as file:
        for line in file:
            key, _, stamp = line.partition(b"\t")
            if KEY.fullmatch(key) and stamp.endswith(b"\n"):
                rows += _digest(stamp[:-1]) + bytes.fromhex(key.decode())
    return bytes(rows)


def _digest(stamp: bytes) -> bytes:
    return hashlib.blake2b(stamp, digest_size=16).digest()


def _as_rows(content: bytes) -> UInt64[np.ndarray, "N 4"]:
    """One row for every 32 bytes: two numbers of the digest and two of the key."""
    return np.frombuffer(content, np.uint64).reshape(-1, 4)


def _sorted(rows: UInt64[np.ndarray, "N 4"]) -> tuple[UInt64[np.ndarray, " N"], UInt64[np.ndarray, "N 4"]]:
    """The first number of every row, sorted, and the rows; among equal rows the latest is last, and it is found."""
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    return np.ascontiguousarray(rows[:, 0]), rows
