"""What an experiment measures of a student: its columns, on validation and on held-out scenes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from zeroseg.evaluation import Result, evaluate, open_dataset, tune_margin
from zeroseg.experiments.design import REFINED, Experiment
from zeroseg.experiments.records import Scores, short
from zeroseg.segmenter import Segmenter
from zeroseg.student import Student
from zeroseg.teacher import Teacher

Counting = Callable[[str, int, str], AbstractContextManager[Callable[[int], None]]]  # title, total, unit -> progress


@dataclass(frozen=True)
class Scenes:
    """How many scenes students are measured on."""

    validation: int = 100
    """For margins and curves."""
    held_out: int = 300
    """For the figures."""

    def by_split(self) -> dict[str, int]:
        """As data sets name them."""
        return {"validation": self.validation, "held-out": self.held_out}


def segmenter_of(student: Student, teacher: Teacher) -> Segmenter:
    """The student as its config reads it, but without refinement."""
    return Segmenter.of(student, teacher).reading(refinement=0)


def glance(student: Student, experiment: Experiment, teacher: Teacher, scenes: Scenes) -> dict[str, float]:
    """mIoU on validation scenes of the first data set, in the recipe's own reading: for the curve."""
    result = evaluate(
        segmenter_of(student, teacher), open_dataset(experiment.datasets[0], "validation", scenes.validation)
    )
    return {"miou": result.miou, "oracle_miou": result.oracle_miou}


def measure(student: Student, experiment: Experiment, teacher: Teacher, scenes: Scenes, counting: Counting) -> Scores:
    """What the experiment's columns are about, on scenes of both splits.

    A reading with refinement has the margin that was tuned without.
    """
    plain = segmenter_of(student, teacher)
    readings = {name: plain.reading(**changes) for name, changes in experiment.readings.items()}
    rounds, splits = student.config.read_out.refinement, scenes.by_split()
    tuned = [name for name, segmenter in readings.items() if segmenter.read_out.background == "margin"]
    asked = list(dict.fromkeys((column.dataset, column.name) for column in experiment.columns_of(rounds > 0)))
    scores: Scores = {split: {dataset: {} for dataset in experiment.datasets} for split in splits}
    total = len(tuned) * scenes.validation + len(asked) * sum(splits.values())
    with counting("measuring", total, "scenes") as progress:
        for name in tuned:
            validation = open_dataset(experiment.datasets[0], "validation", scenes.validation)
            readings[name] = tune_margin(readings[name], validation)
            progress(scenes.validation)
        readings |= {name + REFINED: segmenter.reading(refinement=rounds) for name, segmenter in readings.items()}
        for split, count in splits.items():
            for dataset, name in asked:
                result = evaluate(readings[name], open_dataset(dataset, split, count), progress)
                scores[split][dataset][name] = _figures(result)
    return scores


def _figures(result: Result) -> dict[str, float | None]:
    figures = {"miou": short(result.miou), "oracle_miou": short(result.oracle_miou)}
    return figures if result.read_out.background == "product" else {**figures, "margin": result.read_out.margin}
