"""The images that could not be read, with the reasons, in one file of the cache."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path

from zeroseg.errors import OutputError
from zeroseg.files import write_bytes_atomically
from zeroseg.locks import held

QUARANTINE = "quarantine.jsonl"
ANY_BYTES = "surrogateescape"  # names of files need not be text
PATIENCE = 30.0  # seconds to wait for another process that writes the file


def change_quarantine(folder: Path, unreadable: Mapping[str, str], mended: Collection[str]) -> None:
    """Add images that could not be read, and take out those that now are; others stand. Raises `OutputError`."""
    path, until = folder / QUARANTINE, time.monotonic() + PATIENCE
    if not unreadable and not mended:
        return
    while True:
        try:
            with held(path):
                rows = read_quarantine(folder) | dict(unreadable)
                lines = [
                    json.dumps({"image": image, "reason": reason}, ensure_ascii=False)
                    for image, reason in rows.items()
                    if image not in mended
                ]
                write_bytes_atomically(path, "".join(f"{line}\n" for line in lines).encode(errors=ANY_BYTES))
            return
        except OutputError as error:
            if "is in use by" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.05)


def read_quarantine(folder: Path) -> dict[str, str]:
    """The reasons by image; damaged lines are left out."""
    rows = dict[str, str]()
    with suppress(OSError):
        for line in (folder / QUARANTINE).read_text(encoding="utf-8", errors=ANY_BYTES).split("\n"):
            with suppress(ValueError, KeyError, TypeError, RecursionError):
                row = json.loads(line)
                rows[str(row["image"])] = str(row["reason"])
    return rows
