"""What a run reports: a progress line for people, a JSONL log for programs."""

from __future__ import annotations

import contextlib
import json
import math
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from zeroseg.files import write_text_atomically

LOG_NAME = "log.jsonl"


class Monitor:
    """Progress with loss parts, images/s and time left; every record also goes to `log.jsonl`.

    On a terminal there is one live line; elsewhere a plain line for every record.
    """

    def __init__(self, folder: Path, title: str, steps: int, start: int, quiet: bool = False) -> None:
        console = Console(file=sys.stderr, quiet=quiet)
        self._live = console.is_terminal
        self._console = console
        self._progress = Progress(
            TextColumn(title), BarColumn(24), TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TimeRemainingColumn(compact=True), TextColumn("{task.fields[words]}"),
            console=console, disable=not self._live,
        )  # fmt: skip
        self._task: TaskID = self._progress.add_task(title, total=steps, completed=start, words="")
        self._path = folder / LOG_NAME
        self._title, self._steps = title, steps
        self._log: TextIO | None = None
        self._seen_images, self._since = 0, time.monotonic()

    def __enter__(self) -> Monitor:
        self._log = self._path.open("a", encoding="utf-8")
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()
        if self._log is not None:
            self._log.close()

    def advance(self, step: int, images: int) -> None:
        """Count step number `step` as done, with `images` images."""
        self._seen_images += images
        self._progress.update(self._task, completed=step + 1)

    def record(self, step: int, metrics: dict[str, Any]) -> None:
        """Log metrics of step `step`; show those that are numbers, with the rate since the last record."""
        elapsed = time.monotonic() - self._since
        rate = self._seen_images / elapsed if self._seen_images else 0.0
        self._seen_images, self._since = 0, time.monotonic()
        row = {"step": step, "time": round(time.time(), 1), "images_per_second": round(rate, 1)} | metrics
        if self._log is not None:
            self._log.write(json.dumps({key: _valid(value) for key, value in row.items()}) + "\n")
            self._log.flush()
        words = f"{rate:.0f} images/s  " + "  ".join(
            f"{key} {value:.3g}" for key, value in metrics.items() if isinstance(value, float) and math.isfinite(value)
        )
        self._progress.update(self._task, words=words)
        if not self._live:
            self._console.print(f"{self._title} {step + 1}/{self._steps}  {words}", soft_wrap=True, highlight=False)

    def say(self, sentence: str) -> None:
        """One sentence above the progress line."""
        self._console.print(sentence, soft_wrap=True, highlight=False)


def _valid(value: Any) -> Any:
    """Replace infinity and NaN, which JSON does not have, by null."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_log(folder: Path) -> list[dict[str, Any]]:
    """All records of a run, oldest first."""
    lines = (folder / LOG_NAME).read_text(encoding="utf-8").splitlines()
    rows: list[dict[str, Any]] = []
    for line in lines:
        with contextlib.suppress(ValueError):  # a crash may have cut off the last one
            rows.append(json.loads(line))
    return rows


def forget_after(folder: Path, step: int) -> None:
    """Delete the records from `step` on: a run that resumes there writes them again."""
    if (folder / LOG_NAME).exists():
        kept = [row for row in read_log(folder) if row["step"] < step]
        write_text_atomically(folder / LOG_NAME, "".join(json.dumps(row) + "\n" for row in kept))
