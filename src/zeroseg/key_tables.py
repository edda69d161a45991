"""Tables of keys on disk: 16 bytes are found by 16 bytes, among any number of them.

A table is a file of rows that are sorted by key. It is written once, under a name with its number and a hash of its
content, and never changes. It is mapped into memory: what is looked up is read, the rest is not. Tables of about one
size are put together when there are many of them, so that a key is sought in few.

Any number of processes may add tables to one folder at a time. If a key is in several tables, the last one counts.

Letters: N key, M row of a table.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int64, UInt64

from zeroseg.errors import OutputError
from zeroseg.files import write_bytes_atomically

Pairs = UInt64[np.ndarray, "N 2"]  # 16 bytes each
FILE = re.compile(r"(\d{6})-([0-9a-f]{16})\.table")
ROW = 32  # bytes
TOGETHER = 16  # tables of one size are put together when there are so many
LARGEST = 4_000_000  # rows of a table that is put together with others


class KeyTables:
    """The tables of a folder. They are opened when they are first needed; damaged ones are left out.

    A folder that cannot be written to is no error (`add`).
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tables: dict[str, Table] | None = None

    def find(self, keys: Pairs) -> tuple[Pairs, Bool[np.ndarray, " N"]]:
        """The values of keys, and which of them there are."""
        values, found = np.zeros_like(keys), np.zeros(len(keys), bool)
        for _, table in sorted(self._opened().items(), reverse=True):
            open_ = np.flatnonzero(~found)
            if not len(open_):
                break
            some, there = table.find(keys[open_])
            values[open_[there]], found[open_[there]] = some[there], True
        return values, found

    def add(self, keys: Pairs, values: Pairs) -> bool:
        """Write a table; False if the folder cannot be written to. A key may come twice: the last one counts."""
        try:
            self._write(keys, values)
            self._put_together()
        except OutputError:
            return False
        return True

    def _opened(self) -> dict[str, Table]:
        """The tables by name. Threads may look up keys while others are added: this dictionary never changes."""
        if self._tables is None:
            found = dict[str, Table]()
            with contextlib.suppress(OSError):
                for path in self._folder.iterdir():
                    table = Table.opened(path) if FILE.fullmatch(path.name) else None
                    if table is not None:
                        found[path.name] = table
            self._tables = found
        return self._tables

    def _write(self, keys: Pairs, values: Pairs) -> None:
        content = table_content(keys, values)
        number = 1 + max((int(name[:6]) for name in self._opened()), default=-1)
        path = self._folder / f"{number:06d}-{_hash(content)}.table"
        write_bytes_atomically(path, content)
        table = Table.opened(path)
        if table is not None:  # else another process has put it together with others, or too many files are open
            self._tables = {**self._opened(), path.name: table}

    def _put_together(self) -> None:
        """Replace the tables of one size by one, if there are many. Readers keep what they have mapped."""
        sizes = dict[int, list[str]]()
        for name, table in sorted(self._opened().items()):
            if len(table) <= LARGEST:
                sizes.setdefault(int(np.log2(len(table))) // 4, []).append(name)
        for names in sizes.values():
            if len(names) >= TOGETHER:
                tables = [self._opened()[name] for name in names]
                self._write(*(np.concatenate(parts) for parts in zip(*(table.rows() for table in tables), strict=True)))
                self._tables = {name: table for name, table in self._opened().items() if name not in names}
                for name in names:
                    (self._folder / name).unlink(missing_ok=True)


class Table:
    """One table, mapped."""

    def __init__(self, columns: UInt64[np.ndarray, "4 N"]) -> None:
        self._columns = columns

    @classmethod
    def opened(cls, path: Path) -> Table | None:
        """The table of a file; None if it cannot be read, or is not what its name says."""
        try:
            size = path.stat().st_size
            columns = np.memmap(path, np.uint64, "r", shape=(4, size // ROW)) if size else None
        except (OSError, ValueError):
            return None
        if columns is None or size % ROW or f"-{_hash(columns.data)}." not in path.name:
            return None
        return cls(columns)

    def __len__(self) -> int:
        return self._columns.shape[1]

    def rows(self) -> tuple[Pairs, Pairs]:
        """All keys, and their values."""
        return self._columns[:2].T, self._columns[2:].T

    def find(self, keys: Pairs) -> tuple[Pairs, Bool[np.ndarray, " N"]]:
        """The values of keys, and which of them there are."""
        first, second = self._columns[0], self._columns[1]
        places = last_places(first, keys[:, 0])
        rows = np.maximum(places, 0)
        found = (places >= 0) & (first[rows] == keys[:, 0]) & (second[rows] == keys[:, 1])
        return np.ascontiguousarray(self._columns[2:, rows].T), found


def last_places(column: UInt64[np.ndarray, " M"], wanted: UInt64[np.ndarray, " N"]) -> Int64[np.ndarray, " N"]:
    """For each number the last place in a sorted column whose number is not larger; -1 if there is none.

    They are sought in their order, so that one is found near the one before: ten times as fast in a large column.
    """
    places, order = np.empty(len(wanted), np.int64), np.argsort(wanted)
    places[order] = np.searchsorted(column, wanted[order], side="right") - 1
    return places


def table_content(keys: Pairs, values: Pairs) -> bytes:
    """The bytes of a table: four columns, sorted by the first; of equal keys the last one is found."""
    order = np.argsort(keys[:, 0], kind="stable")
    return np.concatenate([keys[order].T, values[order].T]).tobytes()


def _hash(content: bytes | memoryview) -> str:
    return hashlib.blake2b(content, digest_size=8).hexdigest()
