"""`zeroseg runs`: how far training runs are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from rich.console import Console
from rich.table import Table
from tyro.conf import Positional, arg

from zeroseg.cli.messages import UsageError
from zeroseg.cli.parsing import parse
from zeroseg.durations import time_left

if TYPE_CHECKING:
    from zeroseg.training.run_states import RunState

BARS, WIDTH = "▁▂▃▄▅▆▇█", 24  # of a curve


@dataclass(frozen=True)
class Runs:
    """List the training runs in a folder and below it: how far they are, the last loss, the last figure, the rate, and
    of those that are running the time that is left.

    A run is running while a process holds its folder; stopped if it can be continued with --resume; complete if its
    student is there; damaged if its settings or its newest checkpoint are.

    examples:
      zeroseg runs .
      zeroseg runs runs/ --curves
    """

    folder: Positional[Annotated[Path, arg(metavar="FOLDER", help_behavior_hint="(default: this one)")]] = Path()
    """Where to look."""
    curves: bool = False
    """Draw the loss of each run over its steps."""
    json: bool = False
    """Print JSON instead of a table."""

    def run(self) -> int:
        """List, and print."""
        from zeroseg.training.run_states import runs_below

        if not self.folder.is_dir():
            raise UsageError(f"{str(self.folder)!r} is no folder: name the one with the runs.")
        found = list(runs_below(self.folder))
        if self.json:
            print(json.dumps([asdict(state) for state in found], indent=2))
            return 0
        if not found:
            print(f"there are no runs in {self.folder}")
            return 0
        table = Table(
            "run", "state", "step", "loss", "figure", "images/s", "time", "saved", *(["curve"] if self.curves else [])
        )
        table.columns[0].no_wrap = True
        for column in (2, 3, 5):
            table.columns[column].justify = "right"
        for state in found:
            table.add_row(*_words(state), *([curve([loss for _, loss in state.losses])] if self.curves else []))
        Console(highlight=False, soft_wrap=True, markup=False).print(table)
        return 0


def _words(state: RunState) -> list[str]:
    """A run as the cells of a row."""
    figure = "" if state.figure is None else f"{state.figure[0]} {state.figure[1]:.3f}"
    loss = "" if state.loss is None else f"{state.loss:.3g}"
    rate = "" if state.images_per_second is None else f"{state.images_per_second:.0f}"
    left = "" if state.seconds_left is None else time_left(state.seconds_left)
    of = "?" if state.steps is None else f"{state.steps}"
    saved = ", ".join(state.results) or ("checkpoint" if state.checkpoint else "")
    return [state.name, state.state, f"{state.step}/{of}", loss, figure, rate, left, saved]


def curve(values: Sequence[float]) -> str:
    """Numbers as a line of bars, from the lowest to the highest of them; many are averaged in groups."""
    if not values:
        return ""
    size = min(WIDTH, len(values))
    edges = [round(place * len(values) / size) for place in range(size + 1)]
    means = [sum(values[a:b]) / (b - a) for a, b in pairwise(edges)]
    low, high = min(means), max(means)
    return "".join(BARS[round((mean - low) / (high - low or 1) * (len(BARS) - 1))] for mean in means)


def main(arguments: Sequence[str]) -> int:
    """Parse, and run."""
    return parse(Runs, "runs", arguments).run()
