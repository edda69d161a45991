"""`zeroseg experiment`: short runs side by side, kept as records, written up as a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from zeroseg import experiments
from zeroseg.cli.loading import lasting_name, load_teacher
from zeroseg.cli.messages import FAILED, INTERRUPTED, UsageError, complain, hint, say
from zeroseg.cli.parsing import parse
from zeroseg.cli.progress import counting
from zeroseg.errors import TrainingError
from zeroseg.experiments import EXPERIMENTS, Laboratory, Scenes, carry_out, plan, write_page
from zeroseg.feature_cache import FeatureCache
from zeroseg.images import find_images

GOES_ON = "stopped; the same command goes on where it was."


@dataclass(frozen=True)
class Experiment:
    """Train the variants of a recipe side by side, with several seeds, and write a page on what came out.

    faithful changes one thing at a time in the paper's recipe, ablation takes the parts of ours away. Each run leaves a
    small record (settings, curve, figures); the page with its tables and plots is written from the records alone. A run
    that has a record of the same settings is not made again. Ctrl-C saves; the same command goes on.

    examples:
      zeroseg experiment faithful --images images --cache cache
      zeroseg experiment ablation --images images --cache cache-84 --seeds 1 --steps 2000 --only ours no-dense
      zeroseg experiment faithful --page-only
    """

    name: Positional[Annotated[str, arg(metavar=f"{{{','.join(EXPERIMENTS)}}}", help_behavior_hint="(required)")]] = ""
    """Which experiment."""
    images: Annotated[tuple[Path, ...], arg(metavar="IMAGES...", help_behavior_hint="(required for runs)")] = ()
    """Pictures, or folders of them."""
    cache: Annotated[Path | None, arg(metavar="FOLDER", help_behavior_hint="(required for runs)")] = None
    """Their views as `zeroseg cache` embedded them, with the recipe of the experiment."""
    teacher: Annotated[str | None, arg(metavar="CLIP", help_behavior_hint="(default: the recipe's)")] = None
    """The CLIP that made the cache: a folder, the name of a hub repository, or "bundled"."""
    out: Annotated[Path, arg(metavar="RUNS")] = Path("runs")
    """Where runs train. Students and logs stay there: a record that was deleted is made anew from them."""
    records: Annotated[Path, arg(metavar="FOLDER")] = Path("docs/records")
    """Where the records of all experiments are."""
    pages: Annotated[Path, arg(metavar="FOLDER")] = Path("docs")
    """Where the page goes, its plots to images/ beside it."""
    seeds: int = 3
    """How many runs of each variant."""
    steps: Annotated[int | None, arg(help_behavior_hint="(default: the recipe's)")] = None
    """Steps of the base; the variants' follow."""
    only: Annotated[tuple[str, ...], arg(metavar="VARIANT...", help_behavior_hint="(default: all)")] = ()
    """Run these variants alone."""
    page_only: bool = False
    """Run nothing, write the page from the records that there are."""
    scenes: Scenes = field(default_factory=Scenes)

    def run(self) -> int:
        """Make what runs are missing, then write the page."""
        chosen = self._experiment()
        code = 0 if self.page_only else self._make_runs(chosen)
        if code != INTERRUPTED:
            print(f"the page: {write_page(chosen, self.records, self.pages, self.seeds)}")
        return code

    def _experiment(self) -> experiments.Experiment:
        """The experiment that is named. Raises `UsageError` for what makes no sense."""
        if self.name not in EXPERIMENTS:
            raise UsageError(
                f"there is no experiment {self.name!r}{hint(self.name, EXPERIMENTS)}: "
                f"choose one of {', '.join(EXPERIMENTS)}."
            )
        counts = {"--seeds": self.seeds, "--steps": self.steps, **self._scenes()}
        for option, count in counts.items():
            if count is not None and count < 1:
                raise UsageError(f"{option} must be 1 or more, not {count}.")
        chosen = EXPERIMENTS[self.name]
        names = [variant.name for variant in chosen.variants]
        for name in self.only:
            if name not in names:
                among = f"{hint(name, names)}: choose among {', '.join(names)}."
                raise UsageError(f"the experiment {chosen.name} has no variant {name!r}{among}")
        return chosen

    def _scenes(self) -> dict[str, int]:
        return {"--scenes.validation": self.scenes.validation, "--scenes.held-out": self.scenes.held_out}

    def _laboratory(self, chosen: experiments.Experiment) -> Laboratory:
        if not self.images or self.cache is None:
            raise UsageError(
                "runs need --images and --cache; --page-only writes the page without them "
                "(see `zeroseg experiment --help`)."
            )
        name = self.teacher or chosen.recipe().student.teacher
        images, cache, teacher = find_images(self.images), FeatureCache(self.cache), load_teacher(name)
        return Laboratory(images, cache, teacher, lasting_name(name), self.out, self.records, self.scenes)

    def _make_runs(self, chosen: experiments.Experiment) -> int:
        """Run after run; 1 if one of them failed."""
        lab = self._laboratory(chosen)
        runs = plan(chosen, lab, self.seeds, self.steps, self.only)
        wanted = [run for run in runs if not run.is_recorded(lab)]
        print(f"{len(runs)} runs, {len(runs) - len(wanted)} of them recorded already", flush=True)
        failed = 0
        for number, run in enumerate(wanted, 1):
            print(f"{number}/{len(wanted)}  {run.title}", flush=True)
            try:
                if carry_out(run, lab, counting) is None:
                    say(GOES_ON)
                    return INTERRUPTED
            except TrainingError as error:
                failed += 1
                complain(error)
            except KeyboardInterrupt:
                say(GOES_ON)
                raise
        return FAILED if failed else 0


def main(arguments: Sequence[str]) -> int:
    """Parse, and run."""
    return parse(Experiment, "experiment", arguments).run()
