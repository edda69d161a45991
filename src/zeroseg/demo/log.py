"""What the person at the keyboard reads."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Log:
    """Plain sentences on the terminal, a bar for what takes long; nothing at all when quiet."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self._console = Console(quiet=quiet, highlight=False)

    def title(self, words: str) -> None:
        """A heading."""
        self._console.print(f"\n[bold]{words}[/bold]")

    def say(self, sentence: str) -> None:
        """A sentence of plain text."""
        self._console.print(sentence, markup=False, soft_wrap=True)

    @contextlib.contextmanager
    def bar(self, title: str, total: int) -> Generator[Callable[[int], None]]:
        """A progress bar while the block runs, on a terminal; yields the function that moves it on."""
        columns = (TextColumn(title), BarColumn(24), MofNCompleteColumn(), TimeRemainingColumn(compact=True))
        hidden = not self._console.is_terminal or self._console.quiet
        with Progress(*columns, console=self._console, transient=True, disable=hidden) as progress:
            task = progress.add_task(title, total=total)

            def advance(done: int) -> None:
                progress.advance(task, done)

            yield advance

    def show(self, thing: RenderableType) -> None:
        """Something that rich knows how to print, such as a table."""
        self._console.print(thing)
