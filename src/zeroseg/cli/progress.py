"""Progress on stderr: how many are done, how fast, and how long it will still take."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

PLAIN_EVERY = 10.0  # seconds between the lines that a log file gets


@contextlib.contextmanager
def counting(title: str, total: int, unit: str = "images") -> Generator[Callable[[int], None]]:
    """Yield a function that hears of every so many done. On a terminal one live line; elsewhere a line now and then."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    columns = (TextColumn(title), BarColumn(24), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"))
    live = Progress(*columns, TimeRemainingColumn(compact=True), console=console, disable=not console.is_terminal)
    task = live.add_task(title, total=total, rate="")
    begun = said = time.monotonic()
    done = 0

    def hear(count: int) -> None:
        nonlocal done, said
        done += count
        now = time.monotonic()
        rate = done / max(now - begun, 1e-9)
        live.update(task, completed=done, rate=f"{rate:.0f} {unit}/s")
        if not console.is_terminal and now - said > PLAIN_EVERY:
            said = now
            left = f"{(total - done) / rate:.0f} s left" if rate else ""
            console.print(f"{title} {done}/{total}  {rate:.1f} {unit}/s  {left}", markup=False)

    with live:
        yield hear
