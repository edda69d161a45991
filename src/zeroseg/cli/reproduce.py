"""`zeroseg reproduce`: the paper's tables in the small, beside the paper's figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from tyro.conf import Positional, arg

from zeroseg.cli.messages import INTERRUPTED, UsageError, hint
from zeroseg.cli.parsing import parse
from zeroseg.cli.runs import RunOptions
from zeroseg.experiments import Scenes
from zeroseg.reproduce import TRAINED, PaperTable, write_results
from zeroseg.reproduce.trained_tables import STEPS

QUICK = 6  # times fewer steps
QUICK_SCENES = Scenes(20, 40)


@dataclass(frozen=True)
class Reproduce(RunOptions):
    """Train the rows of the paper's tables in the small, and set our figures beside the paper's.

    t1: distillation against supervision by captions, and by masks; t3: window scales; t4: losses; t5: mask ratios; t6:
    more images. All read one cache, of the windows of all scales, and t1 the captions and masks of the same scenes.
    Each run leaves a small record; the page with tables and plots is written from the records alone. A run that has a
    record of the same settings is not made again. Ctrl-C saves; the same command goes on.

    examples:
      zeroseg reproduce t3 t4 --images images --cache cache
      zeroseg reproduce t5 --images images --cache cache --quick --records try/records --pages try
      zeroseg reproduce --page-only
    """

    tables: Positional[Annotated[tuple[str, ...], arg(metavar=f"{{{','.join(TRAINED)}}}...")]] = tuple(TRAINED)
    """Which tables."""
    quick: bool = False
    """One seed and a sixth of the steps, measured on few scenes: to see it work, in minutes."""

    def run(self) -> int:
        """Make what runs are missing, table by table, then write the page of all tables."""
        self.check()
        chosen = [self._table(name) for name in self.tables]
        asked = self._quick() if self.quick else self
        code = 0 if self.page_only else asked._make(chosen)
        if code != INTERRUPTED:
            print(f"the page: {write_results(TRAINED.values(), self.records, self.pages)}")
        return code

    def _table(self, name: str) -> PaperTable:
        if name not in TRAINED:
            raise UsageError(f"there is no table {name!r}{hint(name, TRAINED)}: choose among {', '.join(TRAINED)}.")
        return TRAINED[name]

    def _quick(self) -> Reproduce:
        return replace(self, seeds=1, steps=max(1, (self.steps or STEPS) // QUICK), scenes=QUICK_SCENES)

    def _make(self, chosen: Sequence[PaperTable]) -> int:
        lab = self.laboratory(chosen[0].experiment.recipe().student.teacher)
        codes = [0]
        for paper in chosen:
            print(paper.title, flush=True)
            codes.append(self.make_runs(paper.experiment, lab))
            if codes[-1] == INTERRUPTED:
                return INTERRUPTED
        return max(codes)


def main(arguments: Sequence[str]) -> int:
    """Parse, and run."""
    return parse(Reproduce, "reproduce", arguments).run()
