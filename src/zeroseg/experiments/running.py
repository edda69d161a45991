"""The runs of an experiment: which there are, and how one is trained, measured and recorded."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from zeroseg.experiments.curve import curve_of, seconds_trained
from zeroseg.experiments.design import Experiment, Variant
from zeroseg.experiments.measuring import Counting, Scenes, TestSets, glance, measure
from zeroseg.experiments.records import (
    Curve,
    Record,
    Values,
    beside_defaults,
    read_record,
    record_path,
    same_settings,
    settings_of,
)  # fmt: skip
from zeroseg.feature_cache import FeatureCache
from zeroseg.files import held
from zeroseg.segmenter import Segmenter
from zeroseg.student import Student
from zeroseg.student.weights import CONFIG_NAME
from zeroseg.teacher import Teacher
from zeroseg.training import checkpoint
from zeroseg.training.distill import distill
from zeroseg.training.distillation import DistillConfig
from zeroseg.training.monitor import read_log
from zeroseg.training.text_supervision import TEXT
from zeroseg.training.view_data import cached_images
from zeroseg.versions import versions


@dataclass(frozen=True)
class Laboratory:
    """What all runs of an experiment share: images with their cache and teacher, and where runs and records go."""

    images: Sequence[Path]
    cache: FeatureCache
    teacher: Teacher
    teacher_name: str
    runs: Path
    records: Path
    scenes: Scenes = field(default_factory=Scenes)
    folders: Mapping[str, Path] = field(default_factory=dict[str, Path])  # of real data sets, by name
    quiet: bool = False

    @property
    def sets(self) -> TestSets:
        """What students are measured on."""
        return TestSets(self.scenes, self.folders)


@dataclass(frozen=True)
class Run:
    """A variant with a seed, under `settings` that are its identity."""

    experiment: Experiment
    variant: Variant
    seed: int
    config: DistillConfig
    settings: Values

    @property
    def title(self) -> str:
        """The run in words."""
        return f"{self.experiment.name}: {self.variant.name}, seed {self.seed}"

    def folder(self, lab: Laboratory) -> Path:
        """Where it trains: a folder for every different settings, so that a change never meets an old checkpoint."""
        settings = json.dumps(beside_defaults(self.settings), sort_keys=True)
        digest = hashlib.sha256(settings.encode()).hexdigest()[:8]
        return lab.runs / self.experiment.name / f"{self.variant.name}-{self.seed}-{digest}"

    def is_recorded(self, lab: Laboratory) -> bool:
        """Whether there is such a record. Raises `DatasetError` for a damaged one."""
        return self.record(lab) is not None

    def record(self, lab: Laboratory) -> Record | None:
        """Its record, if there is one of the very same settings. Raises `DatasetError` for a damaged one."""
        path = record_path(lab.records, self.experiment.name, self.variant.name, self.seed)
        record = read_record(path) if path.exists() else None
        return record if record is not None and same_settings(record.settings, self.settings) else None


def plan(
    experiment: Experiment, lab: Laboratory, seeds: int, steps: int | None = None, only: Collection[str] = ()
) -> list[Run]:
    """All runs of an experiment, or those of some variants: every variant with the first seed, then with the second ...

    What learns nothing is measured once.
    `steps`: those of the base, in place of its recipe's. Raises `CacheError` for a cache of another teacher or other
    views, `TrainingError` where it holds none of the images.
    """
    base = experiment.recipe()
    student = replace(base.student, teacher=lab.teacher_name, embedding_width=lab.teacher.width)
    base = replace(base, student=student, loop=replace(base.loop, steps=steps or base.loop.steps))
    lab.cache.check(lab.teacher, base.views)
    known = cached_images(lab.images, lab.cache)
    images = min(len(known), base.first_images or len(known))
    runs: list[Run] = []
    for seed in range(seeds):
        for variant in experiment.variants:
            if (not only or variant.name in only) and not (seed and variant.ready):
                config = experiment.config(variant, base, seed)
                own = images if config.first_images or not base.first_images else len(known)
                settings = settings_of(config, lab.teacher.fingerprint, own, lab.scenes.by_split())
                if experiment.protocol != "own":
                    settings["protocol"] = experiment.protocol
                if variant.learns_from != "views":
                    settings["learns_from"] = variant.learns_from
                runs.append(Run(experiment, variant, seed, config, settings))
    return runs


def carry_out(run: Run, lab: Laboratory, counting: Counting) -> Record | None:
    """Train a run, or go on with it; measure its student and write the record. None when it was interrupted.

    The run's folder keeps student and log, so that a record that was deleted is made anew without training.
    `counting` shows the progress of measuring. Raises `TrainingError` for a run that fails.
    """
    if run.variant.ready is not None:
        return _measured(run, lab, run.variant.ready(lab), counting)
    folder = run.folder(lab)
    if not train_run(run, lab):
        return None
    segmenter = trained_segmenter(run, lab)
    assert segmenter is not None
    loop, log = run.config.loop, read_log(folder)
    samples, seconds = loop.steps * loop.batch_size, seconds_trained(log, loop.batch_size)
    minutes, rate = round(seconds / 60, 2), round(samples / seconds, 1)
    record = _measured(run, lab, segmenter, counting, samples, minutes, rate, curve_of(log))
    (folder / checkpoint.NAME).unlink(missing_ok=True)
    return record


def train_run(run: Run, lab: Laboratory) -> bool:
    """Have the run's student in its folder, without measuring it; False when the training was interrupted.

    Raises `TrainingError` for a run that fails, `OutputError` for one that another process trains just now.
    """
    with held(run.folder(lab)):
        return _train(run, run.folder(lab), lab)


def _train(run: Run, folder: Path, lab: Laboratory) -> bool:
    if (folder / "student" / CONFIG_NAME).is_file():
        return True
    resume = (folder / checkpoint.NAME).is_file()
    if not resume:
        shutil.rmtree(folder, ignore_errors=True)  # a run that was killed before its first checkpoint

    def judge(student: Student, teacher: Teacher = lab.teacher) -> Values:
        return {**glance(student, run.experiment, teacher, lab.sets)}

    if run.variant.train is not None:
        return run.variant.train(run, folder, lab, judge, resume)
    return distill(lab.images, lab.cache, run.config, folder, lab.teacher, judge, resume, lab.quiet) is not None


def trained_segmenter(run: Run, lab: Laboratory) -> Segmenter | None:
    """The student that a run has left in its folder, with the text encoder that it speaks to; None before that."""
    folder = run.folder(lab)
    if not (folder / "student" / CONFIG_NAME).is_file():
        return None
    student = Student.from_pretrained(folder / "student").to(lab.teacher.device)
    speaks_to = Teacher.from_pretrained(folder / TEXT) if (folder / TEXT).is_dir() else lab.teacher
    return Segmenter.of(student, speaks_to.to(lab.teacher.device))


def _measured(
    run: Run, lab: Laboratory, segmenter: Segmenter, counting: Counting, samples: int = 0, minutes: float = 0.0,
    images_per_second: float | None = None, curve: Curve | None = None,
) -> Record:  # fmt: skip
    """Measure what a run came to, and write its record."""
    experiment = run.experiment
    columns = experiment.columns_of(segmenter.read_out.refinement > 0)
    if run.variant.ready is not None:
        columns = tuple(column for column in columns if column.reading == next(iter(experiment.readings)))
    record = Record(
        experiment=experiment.name,
        variant=run.variant.name,
        seed=run.seed,
        settings=run.settings,
        samples=samples,
        minutes=minutes,
        images_per_second=images_per_second,
        versions=versions(),
        curve=curve or {"training": {}, "validation": {}},
        scores=measure(segmenter, experiment, columns, lab.sets, counting),
    )
    record.write(lab.records)
    return record
