"""A series of runs: the missing runs of an experiment, one after the other, and their outcome."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from zeroseg.errors import ZeroSegError
from zeroseg.evaluation import Counting
from zeroseg.experiments.design import Experiment
from zeroseg.experiments.running import ExperimentContext, plan, run_variant, train_run, trained_segmenter
from zeroseg.experiments.standing import expect_room

Say = Callable[[str], None]
Complain = Callable[[ZeroSegError], object]


@dataclass(frozen=True)
class Outcome:
    """The end of a series of runs: how many failed, and whether it was interrupted."""

    failed: int = 0
    interrupted: bool = False


def run_missing(
    experiment: Experiment,
    context: ExperimentContext,
    seeds: int,
    steps: int | None,
    only: Collection[str],
    counting: Counting,
    say: Say,
    complain: Complain,
) -> Outcome:
    """Train, measure and record every run that has no record with the same settings; a failed run does not stop others.

    `steps`: of the base, instead of its recipe's. `only`: names of variants; all of them if it is empty. `counting`
    shows the progress of measuring, `say` is called with one sentence for each run, `complain` with the error of a run
    that failed. Raises `DatasetError`, before anything is run, if other records stand in the folder of records.
    """
    runs = plan(experiment, context, seeds, steps, only)
    expect_room(runs, context.records)
    missing = [run for run in runs if not run.is_recorded(context)]
    say(f"{len(runs)} runs, {len(runs) - len(missing)} of them recorded already")
    failed = 0
    for number, run in enumerate(missing, 1):
        say(f"{number}/{len(missing)}  {run.title}")
        try:
            if run_variant(run, context, counting) is None:
                return Outcome(failed, interrupted=True)
        except ZeroSegError as error:
            failed += 1
            complain(error)
    return Outcome(failed)


def train_missing(
    experiment: Experiment,
    context: ExperimentContext,
    steps: int | None,
    only: Collection[str],
    say: Say,
    complain: Complain,
) -> Outcome:
    """Train the students of the first seed of some variants that are not in their folders, with or without a record."""
    failed = 0
    for run in plan(experiment, context, 1, steps, only):
        if trained_segmenter(run, context) is None:
            say(f"for figures  {run.title}")
            try:
                if not train_run(run, context):
                    return Outcome(failed, interrupted=True)
            except ZeroSegError as error:
                failed += 1
                complain(error)
    return Outcome(failed)
