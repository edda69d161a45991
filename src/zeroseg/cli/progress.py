"""Progress on stderr: the number done, the rate, and the remaining time."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from zeroseg.durations import time_left

PLAIN_EVERY = 10.0  # seconds between lines if stderr is not a terminal


@contextlib.contextmanager
def counting(title: str, total: int, unit: str = "images") -> Generator[Callable[[int], None]]:
    """Yield a function to call with the number done since its last call.

    On a terminal it updates one line; elsewhere it prints a line every `PLAIN_EVERY` seconds.
    """
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    columns = (TextColumn(title), BarColumn(24), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"))
    live = Progress(*columns, TimeRemainingColumn(compact=True), console=console, disable=not console.is_terminal)
    task = live.add_task(title, total=total, rate="")
    begun = said = time.monotonic()
    done = 0

    def advance(count: int) -> None:
        nonlocal done, said
        done += count
        now = time.monotonic()
        rate = done / max(now - begun, 1e-9)
        live.update(task, completed=done, rate=f"{rate:.0f} {unit}/s")
        if not console.is_terminal and now - said > PLAIN_EVERY:
            said = now
            left = time_left((total - done) / rate) if rate else ""
            console.print(f"{title} {done}/{total}  {rate:.1f} {unit}/s  {left}", markup=False)

    with live:
        yield advance
