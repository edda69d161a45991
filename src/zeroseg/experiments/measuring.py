"""What an experiment measures of a student: its columns, on validation and on held-out scenes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from zeroseg.dataset_names import PICTUREBOOKS, SplitName
from zeroseg.evaluation import Dataset, Result, evaluate, iou_per_class, open_dataset, protocol_for, tune_margin
from zeroseg.experiments.design import REFINED, Column, Experiment
from zeroseg.experiments.records import Figures, Scores, short
from zeroseg.segmenter import Segmenter
from zeroseg.student import Student
from zeroseg.teacher import Teacher

Counting = Callable[[str, int, str], AbstractContextManager[Callable[[int], None]]]  # title, total, unit -> progress


@dataclass(frozen=True)
class Scenes:
    """How many scenes, or images, students are measured on; 0: all."""

    validation: int = 100
    """For margins and curves."""
    held_out: int = 300
    """For the figures."""

    def by_split(self) -> dict[str, int]:
        """As data sets name them."""
        return {"validation": self.validation, "held-out": self.held_out}


REAL_SPLITS: dict[str, SplitName] = {"validation": "train", "held-out": "val"}


@dataclass(frozen=True)
class TestSets:
    """What students are measured on: so many scenes, and the folders of real data sets."""

    scenes: Scenes = field(default_factory=Scenes)
    folders: Mapping[str, Path] = field(default_factory=dict[str, Path])

    def open(self, dataset: str, split: str) -> Dataset:
        """A data set; the validation scenes of a real one are its first images for training. Raises `DatasetError`."""
        count = self.scenes.by_split()[split] or None
        if dataset in PICTUREBOOKS:
            return open_dataset(dataset, split, count)
        return open_dataset(dataset, REAL_SPLITS[split], count, self.folders.get(dataset))


def segmenter_of(student: Student, teacher: Teacher) -> Segmenter:
    """The student as its config reads it, but without refinement."""
    return Segmenter.of(student, teacher).reading(refinement=0)


def glance(student: Student, experiment: Experiment, teacher: Teacher, sets: TestSets) -> dict[str, float]:
    """mIoU on validation scenes of the first data set, in the recipe's own reading: for the curve."""
    dataset = sets.open(experiment.datasets[0], "validation")
    result = _evaluated(segmenter_of(student, teacher), dataset, experiment.protocol)
    return {"miou": result.miou, "oracle_miou": result.oracle_miou}


def measure(
    segmenter: Segmenter, experiment: Experiment, columns: Sequence[Column], sets: TestSets, counting: Counting
) -> Scores:
    """What columns of an experiment are about, on held-out scenes; on validation scenes those of the first data set.

    A reading with refinement has the margin that was tuned without. Raises `DatasetError` for a real data set that is
    not there.
    """
    rounds = segmenter.read_out.refinement
    plain = segmenter.reading(refinement=0)
    names = dict.fromkeys(column.reading for column in columns)
    readings = {name: plain.reading(**experiment.readings[name]) for name in names}
    own = experiment.protocol == "own"  # the others lay down their thresholds
    tuned = [name for name, reading in readings.items() if own and reading.read_out.background == "margin"]
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
        readings |= {name + REFINED: reading.reading(refinement=rounds) for name, reading in readings.items()}
        for split, dataset, name in todo:
            result = _evaluated(readings[name], datasets[split, dataset], experiment.protocol, progress)
            classes = split == "held-out" and dataset in experiment.by_class
            scores[split].setdefault(dataset, {})[name] = _figures(result, classes)
    return scores


def _evaluated(
    segmenter: Segmenter, dataset: Dataset, name: str, progress: Callable[[int], None] = lambda _: None
) -> Result:
    """A result under a protocol of the field, or under the segmenter's own."""
    protocol = protocol_for(name, dataset.name, dataset.has_background)
    words = protocol.speaks(dataset.vocabulary, segmenter.read_out.background_words)
    segmenter = Segmenter(protocol.sees(segmenter.encoder), segmenter.teacher, protocol.reads(segmenter.read_out))
    return evaluate(segmenter, dataset, progress, words)


def _figures(result: Result, classes: bool) -> Figures:
    figures: Figures = {"miou": short(result.miou), "oracle_miou": short(result.oracle_miou)}
    if result.read_out.background != "product":
        figures["margin"] = result.read_out.margin
    if classes:
        ious = iou_per_class(result.confusion).tolist()
        figures["iou"] = {name: short(iou) for name, iou in zip(result.classes, ious, strict=True)}
    return figures
