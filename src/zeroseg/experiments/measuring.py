"""The measurements of an experiment: the metrics of its columns, on validation and on held-out scenes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from zeroseg.dataset_names import PICTUREBOOKS, SplitName, tuning_split
from zeroseg.evaluation import (
    Counting,
    Dataset,
    Result,
    evaluate,
    iou_per_class,
    measure,
    open_dataset,
    protocol_for,
    tune_margin,
    under_protocol,
)
from zeroseg.evaluation.remembering import remembering
from zeroseg.experiments.design import REFINED, Column, Experiment
from zeroseg.experiments.records import Metrics, Scores, short
from zeroseg.rules import Margin, NoBackground
from zeroseg.segmenter import Segmenter
from zeroseg.student import Student
from zeroseg.teacher import Teacher


@dataclass(frozen=True)
class Scenes:
    """The number of scenes, or images, on which students are measured; 0: all."""

    validation: int = 100
    """Scenes for margins and curves."""
    held_out: int = 300
    """Scenes for the reported figures."""

    def by_split(self) -> dict[str, int]:
        """The numbers by the name of the split."""
        return {"validation": self.validation, "held-out": self.held_out}


REAL_SPLITS: dict[str, SplitName] = {"validation": "train", "held-out": "val"}


@dataclass(frozen=True)
class TestSets:
    """The data sets on which students are measured: numbers of scenes, and folders of real data sets.

    An experiment chooses among variants, so it never sees a test split. A data set with a `validation` split of its own
    has its first images for "validation", and those after them for "held-out".
    """

    scenes: Scenes = field(default_factory=Scenes)
    folders: Mapping[str, Path] = field(default_factory=dict[str, Path])

    def open(self, dataset: str, split: str) -> Dataset:
        """A data set. For a real one, "validation" is the first images of its train or validation split.

        Raises `DatasetError`.
        """
        count, folder = self.scenes.by_split()[split] or None, self.folders.get(dataset)
        if dataset in PICTUREBOOKS:
            return open_dataset(dataset, split, count)
        if tuning_split(dataset) != "validation":
            return open_dataset(dataset, REAL_SPLITS[split], count, folder)
        first = open_dataset(dataset, "validation", self.scenes.validation or None, folder)
        if split == "validation":
            return first
        both = open_dataset(dataset, "validation", count and len(first) + count, folder)
        return both.without({first.sample(number).name for number in range(len(first))})


def segmenter_of(student: Student, teacher: Teacher) -> Segmenter:
    """A segmenter with the read-out of the student's config, but without refinement."""
    return Segmenter.of(student, teacher).reading(refinement=0)


def validate(student: Student, experiment: Experiment, teacher: Teacher, sets: TestSets) -> dict[str, float]:
    """mIoU on validation scenes of the first data set, in the recipe's own reading: for the curve."""
    dataset = sets.open(experiment.datasets[0], "validation")
    segmenter = segmenter_of(student, teacher)
    result = measure(segmenter, dataset, protocol_for(experiment.protocol, dataset.name, dataset.has_background)).result
    return {"miou": result.miou, "upper_bound_miou": result.upper_bound_miou}


def measure_columns(
    segmenter: Segmenter, experiment: Experiment, columns: Sequence[Column], sets: TestSets, counting: Counting
) -> Scores:
    """The metrics of an experiment's columns on held-out scenes; for the first data set also on validation scenes.

    A reading with refinement has the margin that was tuned without refinement. Raises `DatasetError` if a real data set
    is missing.
    """
    iterations = segmenter.read_out.refinement
    plain = remembering(segmenter).reading(refinement=0)
    names = dict.fromkeys(column.reading for column in columns)
    readings = {name: plain.reading(**experiment.readings[name]) for name in names}
    own = experiment.protocol == "own"  # the other protocols have fixed thresholds
    tuned = [name for name, reading in readings.items() if own and isinstance(reading.read_out.background, Margin)]
    first, asked = experiment.datasets[0], list(dict.fromkeys((column.dataset, column.name) for column in columns))
    todo = [("held-out", *one) for one in asked]
    todo += [("validation", first, name) for dataset, name in asked if dataset == first]
    datasets = {place: sets.open(place[1], place[0]) for place in {(split, dataset) for split, dataset, _ in todo}}
    validation = datasets["validation", first]
    total = sum(len(datasets[split, dataset]) for split, dataset, _ in todo) + len(tuned) * len(validation)
    scores: Scores = {"validation": {}, "held-out": {}}
    with counting("measuring", total, "images") as progress:
        for name in tuned:
            readings[name] = tune_margin(readings[name], validation)
            progress(len(validation))
        readings |= {name + REFINED: reading.reading(refinement=iterations) for name, reading in readings.items()}
        for split, dataset, name in todo:
            images = datasets[split, dataset]
            protocol = protocol_for(experiment.protocol, images.name, images.has_background)
            reading, words = under_protocol(readings[name], images, protocol)
            result = evaluate(reading, images, progress, words)
            classes = split == "held-out" and dataset in experiment.by_class
            scores[split].setdefault(dataset, {})[name] = _metrics(result, classes)
    return scores


def _metrics(result: Result, classes: bool) -> Metrics:
    metrics: Metrics = {"miou": short(result.miou), "upper_bound_miou": short(result.upper_bound_miou)}
    rule = result.read_out.background
    if isinstance(rule, Margin | NoBackground):
        metrics["margin"] = rule.threshold
    if classes:
        ious = iou_per_class(result.confusion).tolist()
        metrics["iou"] = {name: short(iou) for name, iou in zip(result.classes, ious, strict=True)}
    return metrics
