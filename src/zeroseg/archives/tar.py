"""Files of uncompressed tars: where each begins, and how long it is.

A tar is a sequence of headers of 512 bytes, each followed by the contents of its file in blocks of 512 bytes. Names of
more than 100 bytes are in a header of their own, in one of three ways: a prefix (ustar), GNU's long names, and
records "length key=value" (PAX). Only headers are read here; the contents between them are skipped.

Letters: N file.
"""

from __future__ import annotations

import os
import re
import zlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64

from zeroseg.archives.recent import Recent
from zeroseg.archives.status import Status
from zeroseg.errors import ImageError

BLOCK = 512
REGULAR, LONG_NAME, PAX, SHARED_PAX = b"0\x007", b"L", b"x", b"g"  # kinds of headers
WITHOUT_CONTENTS = b"123456"  # links, devices, folders, pipes
LONGEST_NAME = 1 << 20  # bytes of a header's contents
COMPRESSED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
DIRECTORIES = 1 << 28  # bytes of the directories that are kept: 11 million files
UNUSUAL = re.compile(rb"^/|//|(^|/)\.|/$|\0")  # in names that are written in another way, or left out
MODULUS = 65_521  # of Adler-32


class TarFile(NamedTuple):
    """A file of a tar: its name with slashes, where its contents begin, and their bytes."""

    name: str
    offset: int
    size: int


@dataclass(frozen=True)
class Directory:
    """The files of a tar by a hash of their names, sorted; 24 bytes a file. The hash holds in this process alone."""

    hashes: Int64[np.ndarray, " N"]
    offsets: Int64[np.ndarray, " N"]
    sizes: Int64[np.ndarray, " N"]

    @classmethod
    def of(cls, columns: array[int]) -> Directory:
        """From hash, offset and size of each file, in the order of the tar."""
        table = np.frombuffer(columns, np.int64).reshape(-1, 3)
        hashes, offsets, sizes = table[np.argsort(table[:, 0], kind="stable")].T.copy()
        return cls(hashes, offsets, sizes)

    def find(self, name: str) -> tuple[int, int] | None:
        """Offset and size of a file; of the last one, if several have that name. None if there is none."""
        number = int(np.searchsorted(self.hashes, hash(name), side="right")) - 1
        if number < 0 or self.hashes[number] != hash(name):
            return None
        return int(self.offsets[number]), int(self.sizes[number])

    @property
    def nbytes(self) -> int:
        """Its bytes in memory."""
        return self.hashes.nbytes + self.offsets.nbytes + self.sizes.nbytes


_directories = Recent[tuple[Path, int, int], Directory](DIRECTORIES, lambda directory: directory.nbytes)


def directory_of(path: Path, status: Status) -> Directory:
    """Where the files of a tar are; those that can be read, if it is damaged.

    Raises `OSError` if it cannot be read, and `ImageError` if it is no tar or is compressed.
    """
    return _directories.get(_key(path, status), lambda: _directory(path))


def tar_files(path: Path) -> Iterator[TarFile]:
    """The regular files of a tar, in order; not those whose names lead out of it ("..").

    Raises `OSError` if it cannot be read, and `ImageError` if it is no tar, is compressed, or is truncated or damaged:
    then the files before the damage have been yielded.
    """
    with path.open("rb") as file:
        walk, columns, problem = _Walk(file, file.seek(0, os.SEEK_END)), array("q"), None
        try:
            for one in walk.files():
                columns.extend((hash(one.name), one.offset, one.size))
                yield one
        except ValueError as error:
            problem = _not_a_tar(path, file) if walk.place == 0 else _damaged(path, walk, error)
        if columns or problem is None:  # so that the tar is not gone through again when its files are read
            _directories.get(_key(path, Status.of(os.fstat(file.fileno()))), lambda: Directory.of(columns))
        if problem is not None:
            raise problem


def _directory(path: Path) -> Directory:
    columns = array("q")
    try:
        for one in tar_files(path):
            columns.extend((hash(one.name), one.offset, one.size))
    except ImageError:
        if not columns:
            raise
    return Directory.of(columns)


def _key(path: Path, status: Status) -> tuple[Path, int, int]:
    return path, status.size, status.changed_ns


@dataclass
class _Walk:
    """From header to header. Its `ValueError`s say what is wrong at `place`."""

    file: BufferedReader
    end: int
    place: int = 0
    found: int = 0
    shared: dict[str, bytes] = field(default_factory=dict[str, bytes])

    def files(self) -> Iterator[TarFile]:
        own: dict[str, bytes] = {}  # what headers say about the next file
        while (header := self._read(self.place, BLOCK, "a header")).strip(b"\0"):
            _check_sum(header)
            kind, size = header[156:157], _number(header[124:136])
            contents = self.place + BLOCK
            if kind == LONG_NAME:
                own["path"] = self._text(contents, size).partition(b"\0")[0]
            elif kind == PAX:
                own |= _records(self._text(contents, size))
            elif kind == SHARED_PAX:
                self.shared |= _records(self._text(contents, size))
            else:
                said, own = self.shared | own, {}
                size = 0 if kind in WITHOUT_CONTENTS else int(said.get("size", size))
                name = _name(said.get("path") or _stored_name(header))
                is_sparse = said and any(key.startswith("GNU.sparse.") for key in said)
                if kind in REGULAR and name and not is_sparse:
                    self._check_contents(contents, size)
                    self.found += 1
                    yield TarFile(name, contents, size)
            self.place = contents + -(-size // BLOCK) * BLOCK

    def _read(self, place: int, length: int, what: str) -> bytes:
        self.file.seek(place)
        data = self.file.read(length)
        if (data and len(data) < length) or not self.end:
            raise ValueError(f"{what} is cut off")
        return data

    def _text(self, place: int, length: int) -> bytes:
        if not 0 <= length <= LONGEST_NAME:
            raise ValueError("a name is too long")
        self._check_contents(place, length)
        return self._read(place, length, "a name")

    def _check_contents(self, place: int, length: int) -> None:
        if length < 0 or place + length > self.end:
            raise ValueError("a file is cut off")


def _check_sum(header: bytes) -> None:
    """Raises `ValueError` if the bytes of a header, its sum counted as blanks, have another sum than it states.

    The lower half of Adler-32 is 1 + the sum of all bytes: as good as the sum itself, and 20 times as fast.
    """
    total = (zlib.adler32(header[:148] + b" " * 8 + header[156:]) & 0xFFFF) - 1
    if total % MODULUS != _number(header[148:156]) % MODULUS:
        raise ValueError("a header is damaged")


def _number(stored: bytes) -> int:
    """A number of a header: octal digits, or with the first bit set its bytes. Raises `ValueError`."""
    if stored[0] in (0x80, 0xFF):
        return int.from_bytes(stored[1:], "big", signed=stored[0] == 0xFF)
    return int(stored.partition(b"\0")[0].strip() or b"0", 8)


def _records(text: bytes) -> dict[str, bytes]:
    """The values of PAX records, "LENGTH KEY=VALUE" and a line end, by key. Raises `ValueError`."""
    values: dict[str, bytes] = {}
    while text.strip(b"\0"):
        digits = text.partition(b" ")[0]
        length = int(digits)
        key, _, value = text[len(digits) + 1 : length - 1].partition(b"=")
        if not len(digits) < length <= len(text):
            raise ValueError("a PAX record is damaged")
        values[key.decode("utf-8", "surrogateescape")] = value
        text = text[length:]
    return values


def _stored_name(header: bytes) -> bytes:
    name, prefix = header[:100].partition(b"\0")[0], header[345:500].partition(b"\0")[0]
    if header[156:157] == b"\0" and name.endswith(b"/"):  # a folder of the oldest tars
        return b""
    return prefix + b"/" + name if prefix and header[257:263] == b"ustar\0" else name


def _name(stored: bytes) -> str:
    """A name as it continues a path; empty if it leads out of the tar, or cannot be part of a path."""
    if UNUSUAL.search(stored):
        parts = [part for part in stored.split(b"/") if part not in (b"", b".")]
        stored = b"" if b".." in parts or b"\0" in stored else b"/".join(parts)
    return stored.decode("utf-8", "surrogateescape")


def _not_a_tar(path: Path, file: BufferedReader) -> ImageError:
    file.seek(0)
    head = file.read(8)
    packed = next((name for magic, name in COMPRESSED.items() if head.startswith(magic)), None)
    if packed:
        return ImageError(
            f"{str(path)!r} is compressed ({packed}): single files can be read only from uncompressed tars; unpack it."
        )
    return ImageError(f"{str(path)!r} is not a tar, or its beginning is damaged; write or download it again.")


def _damaged(path: Path, walk: _Walk, error: ValueError) -> ImageError:
    return ImageError(
        f"{str(path)!r} is truncated or damaged at byte {walk.place:,} ({error}): of its files, only the first "
        f"{walk.found:,} can be read; write or download it again."
    )
