"""The output of the demo on the terminal."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Log:
    """Sentences and progress bars on the terminal; with `quiet` nothing is printed."""

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
        """A progress bar while the block runs, on a terminal; yields a function that is called with the number done."""
        columns = (TextColumn(title), BarColumn(24), MofNCompleteColumn(), TimeRemainingColumn(compact=True))
        hidden = not self._console.is_terminal or self._console.quiet
        with Progress(*columns, console=self._console, transient=True, disable=hidden) as progress:
            task = progress.add_task(title, total=total)

            def advance(done: int) -> None:
                progress.advance(task, done)

            yield advance

    def show(self, thing: RenderableType) -> None:
        """Print an object of rich, such as a table."""
        self._console.print(thing)
