"""What was written to a cache: a line for each shard, with its images, so that what is lost is noticed."""

from __future__ import annotations

import json
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SHARDS = "shards.jsonl"
LETTERS = 16  # of an image's key: 8 bytes tell images apart well enough


@dataclass(frozen=True)
class Written:
    """A shard that was written: its name, and the beginnings of its images' keys, as one text.

    Lines of earlier versions have only the number of images (`count`).
    """

    shard: str
    keys: str = ""
    count: int = 0

    @property
    def line(self) -> str:
        """Its line."""
        return json.dumps({"shard": self.shard, "keys": self.keys, "check": _checksum(self.shard, self.keys)})

    def lost(self, held: set[str]) -> int:
        """How many of its images are not among those that are held; all of them if they are not known."""
        keys = (self.keys[place : place + LETTERS] for place in range(0, len(self.keys), LETTERS))
        return sum(key not in held for key in keys) if self.keys else self.count


def written_shards(folder: Path) -> dict[str, Written]:
    """The shards that were written to a cache, by name; damaged lines are left out."""
    rows = dict[str, Written]()
    with suppress(OSError):
        for line in (folder / SHARDS).read_bytes().split(b"\n"):
            with suppress(ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
                row = _read(json.loads(line))
                rows[row.shard] = row
    return rows


def _read(row: dict[str, Any]) -> Written:
    shard, keys = str(row["shard"]), row.get("keys")
    if keys is None:
        return Written(shard, count=int(row["images"]))
    if row["check"] != _checksum(shard, keys):
        raise ValueError("the line is damaged")
    return Written(shard, keys)


def _checksum(shard: str, keys: str) -> str:
    return f"{zlib.crc32(f'{shard} {keys}'.encode()):08x}"
