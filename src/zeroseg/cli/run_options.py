"""Options and steps of the commands that train several runs and keep records (experiment, reproduce)."""

from __future__ import annotations

from collections.abc import Collection, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from zeroseg import experiments
from zeroseg.cli.loading import lasting_name, load_teacher
from zeroseg.cli.messages import FAILED, INTERRUPTED, UsageError, complain, say
from zeroseg.cli.progress import counting
from zeroseg.experiments import ExperimentContext, Scenes, run_missing, train_missing
from zeroseg.feature_cache import FeatureCache
from zeroseg.images import find_images

CONTINUES = "stopped; the same command continues from there."


@contextmanager
def going_on() -> Generator[None]:
    """On Ctrl-C, print that the same command continues: everything before it is saved."""
    try:
        yield
    except KeyboardInterrupt:
        say(CONTINUES)
        raise


@dataclass(frozen=True)
class RunOptions:
    """Inputs and outputs of runs, their number and their length."""

    images: Annotated[tuple[Path, ...], arg(metavar="IMAGES...", help_behavior_hint="(required for runs)")] = ()
    """Pictures, or folders of them."""
    cache: Annotated[Path | None, arg(metavar="FOLDER", help_behavior_hint="(required for runs)")] = None
    """Their views as `zeroseg cache` embedded them: with --recipe for experiments, with --grids 1 2 3 4 for tables."""
    teacher: Annotated[str | None, arg(metavar="NAME", help_behavior_hint="(default: the recipe's)")] = None
    """The teacher that made the cache: a bundled one by name, a folder, or the name of a hub repository."""
    out: Annotated[Path, arg(metavar="RUNS")] = Path("runs")
    """The folder of runs. Students and logs stay there, so that a deleted record can be made again from them."""
    records: Annotated[Path, arg(metavar="FOLDER")] = Path("docs/records")
    """Where the records of all experiments are."""
    pages: Annotated[Path, arg(metavar="FOLDER")] = Path("docs")
    """Where the page goes, its plots to images/ beside it."""
    seeds: int = 3
    """How many runs of each variant."""
    steps: Annotated[int | None, arg(help_behavior_hint="(default: the recipe's)")] = None
    """Steps of the base; those of the variants follow from them."""
    page_only: bool = False
    """Run nothing, write the page from existing records."""
    scenes: Scenes = field(default_factory=Scenes)

    def check(self) -> None:
        """Raise `UsageError` for impossible numbers, or for missing records."""
        splits = {"--scenes.validation": self.scenes.validation, "--scenes.held-out": self.scenes.held_out}
        for option, count in {"--seeds": self.seeds, "--steps": self.steps, **splits}.items():
            least = 0 if option in splits else 1
            if count is not None and count < least:
                raise UsageError(f"{option} must be {least} or more, not {count}.")
        if self.page_only and not self.records.is_dir():
            raise UsageError(f"there are no records in {str(self.records)!r}: name their folder with --records.")

    def context(self, recipes_teacher: str) -> ExperimentContext:
        """The inputs of all runs. Raises `UsageError` if images or cache are not named."""
        if not self.images or self.cache is None:
            raise UsageError("runs need --images and --cache; --page-only writes the page without them (see --help).")
        name = self.teacher or recipes_teacher
        images, cache, teacher = find_images(self.images), FeatureCache(self.cache), load_teacher(name)
        return ExperimentContext(images, cache, teacher, lasting_name(name), self.out, self.records, self.scenes)

    def make_students(self, chosen: experiments.Experiment, context: ExperimentContext, only: Collection[str]) -> bool:
        """Train the missing students of the first seed of some variants; False if it was interrupted."""
        outcome = train_missing(chosen, context, self.steps, only, partial(print, flush=True), complain)
        if outcome.interrupted:
            say(CONTINUES)
        return not outcome.interrupted

    def make_runs(self, chosen: experiments.Experiment, context: ExperimentContext, only: Collection[str] = ()) -> int:
        """Make the missing runs of an experiment; returns 1 if one of them failed, else 0."""
        show = partial(print, flush=True)
        outcome = run_missing(chosen, context, self.seeds, self.steps, only, counting, show, complain)
        if outcome.interrupted:
            say(CONTINUES)
            return INTERRUPTED
        return FAILED if outcome.failed else 0
