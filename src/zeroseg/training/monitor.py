"""What a run reports: a progress line for people, a JSONL log for programs.

Each line of the log is one record, with a checksum as its last entry.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import re
import sys
import time
import zlib
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from zeroseg.durations import time_left
from zeroseg.errors import OutputError
from zeroseg.files import cannot_write, write_text_atomically
from zeroseg.training.trackers import Tracker

LOG_NAME = "log.jsonl"
CHECKED = re.compile(r'(\{.*), "check": "([0-9a-f]{8})"\}')

Row = dict[str, Any]


class Monitor:
    """Progress with loss parts, images/s and time left; every record also goes to `log.jsonl`.

    On a terminal there is one live line; elsewhere a plain line for every record.
    """

    def __init__(
        self, folder: Path, title: str, steps: int, start: int, quiet: bool = False, writes: bool = True
    ) -> None:
        """`writes`: whether this process is the one that reports; of several, the others do not."""
        console = Console(file=sys.stderr, quiet=quiet or not writes)
        self._live = console.is_terminal
        self._console = console
        self._progress = Progress(
            TextColumn(title), BarColumn(24), TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TimeRemainingColumn(compact=True), TextColumn("{task.fields[words]}"),
            console=console, disable=not self._live,
        )  # fmt: skip
        self._task: TaskID = self._progress.add_task(title, total=steps, completed=start, words="")
        self._path = folder / LOG_NAME
        self._title, self._steps, self._writes = title, steps, writes
        self._log: TextIO | None = None
        self.trackers: list[Tracker] = []  # told of every record; closed at the end
        self._seen_images, self._since = 0, time.monotonic()
        self._start, self._begun = start, self._since

    def __enter__(self) -> Monitor:
        if not self._writes:
            return self
        try:
            self._log = self._path.open("a", encoding="utf-8")
        except OSError as error:
            raise OutputError(cannot_write(self._path, error)) from error
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()
        for tracker in self.trackers:
            tracker.close()
        if self._log is not None:
            with contextlib.suppress(OSError):  # every record has been flushed, or its error raised
                self._log.close()

    def advance(self, step: int, images: int) -> None:
        """Count step number `step` as done, with `images` images."""
        self._seen_images += images
        self._progress.update(self._task, completed=step + 1)

    def record(self, step: int, metrics: dict[str, Any]) -> None:
        """Log metrics of step `step`; show those that are numbers, with the rate since the last record.

        Raises `OutputError` if the log cannot be written.
        """
        elapsed = time.monotonic() - self._since  # not the clock on the wall, which may be set back
        rate = self._seen_images / max(elapsed, 1e-9)
        self._seen_images, self._since = 0, time.monotonic()
        row = {"step": step, "time": round(time.time(), 1), "images_per_second": round(rate, 1)} | metrics
        if self._log is not None:
            try:
                self._log.write(line_of(row))
                self._log.flush()
            except OSError as error:
                raise OutputError(cannot_write(self._path, error)) from error
        numbers = {name: float(value) for name, value in row.items() if isinstance(value, int | float)}
        for tracker in self.trackers:
            tracker.log(step, {name: value for name, value in numbers.items() if name not in ("step", "time")})
        words = f"{rate:.0f} images/s  " + "  ".join(
            f"{key} {value:.3g}" for key, value in metrics.items() if isinstance(value, float) and math.isfinite(value)
        )
        self._progress.update(self._task, words=words)
        if not self._live:
            each = (time.monotonic() - self._begun) / max(step + 1 - self._start, 1)  # evaluations are in it
            left = time_left(each * (self._steps - step - 1))
            line = f"{self._title} {step + 1}/{self._steps}  {left}  {words}"
            self._console.print(line, soft_wrap=True, highlight=False)

    def say(self, sentence: str) -> None:
        """One sentence above the progress line."""
        self._console.print(sentence, soft_wrap=True, highlight=False)


def line_of(row: Row) -> str:
    """A record as a line of JSON with a checksum as its last entry; numbers that are not finite become null."""
    text = json.dumps({key: _valid(value) for key, value in row.items()})
    return f'{text[:-1]}, "check": "{_checksum(text[:-1])}"}}\n'


def read_log(folder: Path) -> list[Row]:
    """All records of a run, oldest first; none if there is no log.

    Damaged lines are left out, with one sentence in the log of warnings. A last line without an end was being written
    when its process was killed: it is left out, too, and nothing is said. Logs of earlier versions have no checksums.
    """
    path = folder / LOG_NAME
    if not path.is_file():
        return []
    *lines, _ = path.read_bytes().split(b"\n")
    read = [_row_of(line) for line in lines]
    checked = any(is_checked for _, is_checked in read)
    rows = [row for row, is_checked in read if row is not None and is_checked == checked]
    if len(rows) < len(lines):
        logging.getLogger(__name__).warning(
            "%d of %d lines of %s are damaged and are left out.", len(lines) - len(rows), len(lines), path
        )
    return rows


def forget_after(folder: Path, step: int) -> None:
    """Delete the records from `step` on: a run that resumes there writes them again."""
    if (folder / LOG_NAME).exists():
        kept = [row for row in read_log(folder) if row["step"] < step]
        write_text_atomically(folder / LOG_NAME, "".join(map(line_of, kept)))


def _row_of(line: bytes) -> tuple[Row | None, bool]:
    """The record in a line, None if it is damaged; and whether it has a checksum that is right."""
    try:
        text = line.decode()
        found = CHECKED.fullmatch(text)
        if found and found[2] != _checksum(found[1]):
            return None, False
        row: Any = json.loads(f"{found[1]}}}" if found else text)
    except (ValueError, RecursionError):
        return None, False
    is_record = isinstance(row, dict) and isinstance(row.get("step"), int)
    return (row if is_record else None), bool(found)


def _checksum(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"


def _valid(value: Any) -> Any:
    """Replace infinity and NaN, which JSON does not have, by null."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
