"""Many paths in little memory.

Paths are kept in blocks of 32, as the bytes of one text, with a number for each block that says where it begins. A text
file of paths stays on the disk, and only the block that is asked for is read.

Letters: N path, B block, K path that is chosen.
"""

from __future__ import annotations

import bisect
import itertools
import mmap
import os
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Protocol, overload, runtime_checkable

import numpy as np
from jaxtyping import Int64, Integer

from zeroseg.errors import ImageError

BLOCK = 32  # paths
CHUNK = 1 << 22  # bytes of a text file that are looked through at once
UNUSUAL = re.compile(rb"//|(^|/)\.(/|$)|/$|^$")  # what `Path` may write in another way
MARK_OF_UTF8 = b"\xef\xbb\xbf"
_SKIPPED = np.isin(np.arange(256), list(b"\n#"))  # by the first byte of a line
_DOUBTFUL = np.isin(np.arange(256), list(b" \t\r\v\f"))  # the line may be blank


@runtime_checkable
class Paths(Protocol):
    """Where the paths of a list come from."""

    def __len__(self) -> int: ...

    def path(self, number: int) -> Path:
        """A path; `number` is from 0 to the length, which is not checked. Raises `ImageError` if it is gone."""
        ...

    def name(self, number: int) -> bytes:
        """The bytes of the absolute path. Raises `ImageError` if it is gone."""
        ...


class PathList(Sequence[Path]):
    """An unchangeable list of paths: at most the bytes of the paths and 2 for each one.

    Slices and `take` share the paths with the list that they come from. It equals any sequence of the same paths.
    """

    def __init__(self, paths: Paths, chosen: range | Integer[np.ndarray, " N"] | None = None):
        """`chosen`: which of `paths`, in order; all of them if it is None."""
        self._paths = paths
        self._chosen = range(len(paths)) if chosen is None else chosen

    @classmethod
    def of(cls, paths: Iterable[str | os.PathLike[str]]) -> PathList:
        """A list of the given paths. Raises `ValueError` for a path with a zero byte, which no file has."""
        return paths if isinstance(paths, PathList) else cls(PathsInMemory.of(map(Path, paths)))

    def __len__(self) -> int:
        return len(self._chosen)

    @overload
    def __getitem__(self, number: int) -> Path: ...
    @overload
    def __getitem__(self, number: slice) -> PathList: ...
    def __getitem__(self, number: int | slice) -> Path | PathList:
        if isinstance(number, slice):
            part = self._chosen[number]
            if isinstance(part, range) and len(part) < 2:  # its step may be any number
                part = range(part.start, part.start + len(part))
            return PathList(self._paths, part)
        return self._paths.path(int(self._chosen[number]))

    def __iter__(self) -> Iterator[Path]:
        return (self._paths.path(int(number)) for number in self._chosen)

    def take(self, numbers: Integer[np.ndarray, " K"]) -> PathList:
        """The paths of these numbers, in their order; raises `IndexError` unless all are from 0 to the length."""
        if numbers.size and not 0 <= int(numbers.min()) <= int(numbers.max()) < len(self):
            raise IndexError(f"numbers of paths must be from 0 to {len(self) - 1}")
        chosen = self._chosen
        if isinstance(chosen, range):
            smallest = np.uint32 if len(self._paths) <= 1 << 32 else np.int64
            return PathList(self._paths, (chosen.start + chosen.step * numbers.astype(np.int64)).astype(smallest))
        return PathList(self._paths, chosen[numbers])

    def name(self, number: int) -> bytes:
        """The bytes of the absolute path."""
        return self._paths.name(int(self._chosen[number]))

    def names(self) -> Iterator[bytes]:
        """The bytes of all absolute paths, in order."""
        return (self._paths.name(int(number)) for number in self._chosen)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str | bytes):
            return NotImplemented
        return len(self) == len(other) and all(mine == given for mine, given in zip(self, other, strict=True))

    def __repr__(self) -> str:
        ends = ", ".join(repr(str(path)) for path in self[:2])
        return f"PathList({len(self):,} paths: {ends}{', ...' if len(self) > 2 else ''})"

    def __reduce__(self) -> tuple[object, ...]:
        """A small part of paths in memory is copied, so that not all of them travel with it."""
        if isinstance(self._paths, PathsInMemory) and 2 * len(self) < len(self._paths):
            return PathList, (PathsInMemory.of(self),)
        return PathList, (self._paths, self._chosen)


class _PathsInBlocks:
    """Paths in a text, by its blocks; the block that was read last is kept. Relative paths are below a folder."""

    def __init__(self, text: bytes | mmap.mmap, blocks: Blocks, folder: Path):
        self._text, self._blocks, self._folder = text, blocks, folder
        self._start = _beginning(folder) if folder.is_absolute() else None  # else it is below the current folder
        self._last: tuple[int, list[bytes]] = -1, []

    def __len__(self) -> int:
        return self._blocks.count

    def __iter__(self) -> Iterator[Path]:
        return map(self.path, range(len(self)))

    def path(self, number: int) -> Path:
        """A path; `number` is from 0 to the length."""
        stored = os.fsdecode(self._stored(number))
        return Path(stored) if stored[:1] == os.sep else self._folder / stored

    def name(self, number: int) -> bytes:
        """The bytes of the absolute path."""
        stored = self._stored(number)
        if os.sep != "/" or UNUSUAL.search(stored):
            return os.fsencode(self.path(number).absolute())
        return stored if stored[:1] == b"/" else (self._start or _beginning(self._folder)) + stored

    def _stored(self, number: int) -> bytes:
        wanted, place = divmod(number, BLOCK)
        block, paths = self._last
        if block != wanted:
            paths = self._paths_of(wanted)
            self._last = wanted, paths  # in one step, so that other threads see both or none
        return paths[place]

    def _paths_of(self, block: int) -> list[bytes]:
        raise NotImplementedError


class PathsInMemory(_PathsInBlocks):
    """Paths as one text in memory, a zero byte after each."""

    def __init__(self, text: bytes, blocks: Blocks):
        super().__init__(text, blocks, Path())

    @classmethod
    def of(cls, paths: Iterable[Path | str]) -> PathsInMemory:
        """The given paths. Raises `ValueError` for one with a zero byte."""
        text, starts, count, names = BytesIO(), array("q"), 0, map(os.fsencode, paths)
        while block := list(itertools.islice(names, BLOCK)):
            joined = b"\0".join(block)
            if joined.count(b"\0") != len(block) - 1:
                raise ValueError(f"a path with a zero byte: {next(name for name in block if 0 in name)!r}")
            starts.append(text.tell())
            text.write(joined + b"\0")
            count += len(block)
        return cls(text.getvalue(), Blocks(np.array(starts, np.int64), count, (text.tell(), 0)))

    def _paths_of(self, block: int) -> list[bytes]:
        return self._text[self._blocks.part(block)].split(b"\0")

    def __reduce__(self) -> tuple[object, ...]:
        return PathsInMemory, (self._text, self._blocks)


class PathsInFile(_PathsInBlocks):
    """The lines of a text file, but blank ones and those that begin with "#"; relative paths are below its folder.

    One pass over the file finds the blocks; then it is mapped into memory. It must not change: this is looked at
    whenever a block is read.
    """

    def __init__(self, file: Path, blocks: Blocks | None = None):
        """`blocks`: those that were found in this file before.

        Raises `OSError` if the file cannot be read, and `ImageError` if it is no text of paths, or has changed.
        """
        with file.open("rb") as opened:
            size = os.fstat(opened.fileno()).st_size
            text = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
            super().__init__(text, Blocks.of(opened, file) if blocks is None else blocks, file.parent)
        self._file = file
        self._check()

    def _paths_of(self, block: int) -> list[bytes]:
        self._check()
        lines = self._text[self._blocks.part(block)].split(b"\n")
        return [line.removesuffix(b"\r") for line in lines if _is_path(line)]

    def _check(self) -> None:
        if _state(self._file.stat()) != self._blocks.state:
            raise ImageError(f"{str(self._file)!r} has changed since it was opened; start again.")

    def __reduce__(self) -> tuple[object, ...]:
        return PathsInFile, (self._file, self._blocks)


class PathsInTurn:
    """Several sources of paths, one after the other."""

    def __init__(self, sources: Sequence[Paths]):
        self._sources = sources
        self._ends = list(itertools.accumulate(map(len, sources)))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def path(self, number: int) -> Path:
        """A path."""
        source, place = self._located(number)
        return source.path(place)

    def name(self, number: int) -> bytes:
        """The bytes of the absolute path."""
        source, place = self._located(number)
        return source.name(place)

    def _located(self, number: int) -> tuple[Paths, int]:
        source = bisect.bisect_right(self._ends, number)
        return self._sources[source], number - (self._ends[source - 1] if source else 0)


@dataclass(frozen=True)
class Blocks:
    """Where the blocks of a text file begin, how many paths it has, and its size and time of change."""

    starts: Int64[np.ndarray, " B"]
    count: int
    state: tuple[int, int]

    @classmethod
    def of(cls, opened: BufferedReader, file: Path) -> Blocks:
        """Look through an open file. Raises `ImageError` if it has zero bytes, so that it is no list of paths."""
        state = _state(os.fstat(opened.fileno()))
        if opened.read(len(MARK_OF_UTF8)) != MARK_OF_UTF8:
            opened.seek(0)
        starts, count, place = list[Int64[np.ndarray, " B"]](), 0, opened.tell()
        while chunk := opened.read(CHUNK) + opened.readline():
            if b"\0" in chunk:
                raise ImageError(f"{str(file)!r} is not a text of paths (it has zero bytes); save it as UTF-8.")
            lines = _lines_with_paths(chunk)
            starts.append(place + lines[-count % BLOCK :: BLOCK])
            count, place = count + len(lines), place + len(chunk)
        return cls(np.concatenate([np.empty(0, np.int64), *starts]), count, state)

    def part(self, block: int) -> slice:
        """The bytes of a block."""
        end = int(self.starts[block + 1]) if block + 1 < len(self.starts) else self.state[0]
        return slice(int(self.starts[block]), end)


def _lines_with_paths(chunk: bytes) -> Int64[np.ndarray, " K"]:
    """Where the lines begin that have a path; the chunk consists of whole lines."""
    text = np.frombuffer(chunk, np.uint8)
    starts = np.concatenate([np.zeros(1, np.int64), np.flatnonzero(text == ord("\n")) + 1])
    starts = starts[starts < len(text)]
    firsts = text[starts]
    has_path = ~_SKIPPED[firsts]
    for number in np.flatnonzero(_DOUBTFUL[firsts]):
        end = int(starts[number + 1]) if number + 1 < len(starts) else len(chunk)
        has_path[number] = _is_path(chunk[int(starts[number]) : end])
    return starts[has_path]


def _beginning(folder: Path) -> bytes:
    """What the absolute paths in a folder begin with."""
    return os.fsencode((folder / "x").absolute())[:-1]


def _is_path(line: bytes) -> bool:
    return not line.startswith(b"#") and bool(line.strip())


def _state(status: os.stat_result) -> tuple[int, int]:
    return status.st_size, status.st_mtime_ns
