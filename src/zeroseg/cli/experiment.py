"""`zeroseg experiment`: short runs that are compared with each other, kept as records, with a page on the results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from zeroseg import experiments
from zeroseg.cli.messages import INTERRUPTED, UsageError
from zeroseg.cli.parsing import parse
from zeroseg.cli.run_options import RunOptions, going_on
from zeroseg.errors import hint
from zeroseg.experiments import EXPERIMENTS, ExperimentContext, write_page


@dataclass(frozen=True)
class Experiment(RunOptions):
    """Train variants of a recipe with several seeds, and write a page on the results.

    faithful changes one thing at a time in the paper's recipe; ablation leaves out parts of ours; photos changes our
    recipe for photos, photos-tables has the paper's tables 3 to 5 with it, both measured on MSRC-21. Each run writes a
    small record (settings, curve, metrics); the page with its tables and plots is written only from records. A run that
    has a record with the same settings is not repeated; where a record has other settings, nothing is run. Ctrl-C
    saves; the same command continues.

    examples:
      zeroseg experiment faithful --images images --cache cache --steps 600
      zeroseg experiment faithful --images images --cache cache --steps 6 --records try/records --pages try
      zeroseg experiment ablation --images images --cache cache --seeds 1 --only ours no-dense --records try/records
      zeroseg experiment photos --images photos --cache cache --data msrc21
      zeroseg experiment faithful --page-only
    """

    name: Positional[Annotated[str, arg(metavar=f"{{{','.join(EXPERIMENTS)}}}", help_behavior_hint="(required)")]] = ""
    """The experiment."""
    only: Annotated[tuple[str, ...], arg(metavar="VARIANT...", help_behavior_hint="(default: all)")] = ()
    """Run only these variants."""
    data: Annotated[Path | None, arg(metavar="FOLDER", help_behavior_hint="(required for runs of photos)")] = None
    """Where the real data set is that students are measured on."""

    def run(self) -> int:
        """Make the missing runs, then write the page."""
        chosen, code = self._experiment(), 0
        if not self.page_only:
            context = self._on_data(self.context(chosen.recipe().student.teacher), chosen)
            with going_on():
                code = self.make_runs(chosen, context, self.only)
        if code != INTERRUPTED:
            print(f"the page: {write_page(chosen, self.records, self.pages, self.seeds)}")
        return code

    def _experiment(self) -> experiments.Experiment:
        """The named experiment. Raises `UsageError` for unknown names."""
        if self.name not in EXPERIMENTS:
            raise UsageError(
                f"there is no experiment {self.name!r}{hint(self.name, EXPERIMENTS)}: "
                f"choose one of {', '.join(EXPERIMENTS)}."
            )
        self.check()
        chosen = EXPERIMENTS[self.name]
        if not self.page_only and bool(chosen.on_disk) != (self.data is not None):
            measured = ", ".join(chosen.datasets)
            remedy = "name their folder with --data" if chosen.on_disk else "leave --data out"
            raise UsageError(f"the experiment {chosen.name} is measured on {measured}: {remedy}.")
        names = [variant.name for variant in chosen.variants]
        for name in self.only:
            if name not in names:
                among = f"{hint(name, names)}: choose among {', '.join(names)}."
                raise UsageError(f"the experiment {chosen.name} has no variant {name!r}{among}")
        return chosen

    def _on_data(self, context: ExperimentContext, chosen: experiments.Experiment) -> ExperimentContext:
        """The context with the folder of real data sets. Raises `DatasetError` if these are not there."""
        if self.data is not None:
            context = replace(context, folders=dict.fromkeys(chosen.on_disk, self.data))
        for dataset in chosen.on_disk:
            context.sets.open(dataset, "held-out")
        return context


def main(arguments: Sequence[str]) -> int:
    """Parse, and run."""
    return parse(Experiment, "experiment", arguments).run()
