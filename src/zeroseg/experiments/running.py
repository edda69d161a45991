"""The runs of an experiment: which there are, and how one is trained, measured and recorded."""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from zeroseg import __version__
from zeroseg.experiments.curve import curve_of, seconds_trained
from zeroseg.experiments.design import Experiment, Variant
from zeroseg.experiments.measuring import Counting, Scenes, glance, measure
from zeroseg.experiments.records import Record, Values, read_record, record_path, same_settings, settings_of
from zeroseg.feature_cache import FeatureCache
from zeroseg.student import Student
from zeroseg.student.weights import CONFIG_NAME
from zeroseg.teacher import Teacher
from zeroseg.training import checkpoint
from zeroseg.training.distill import DistillConfig, ViewData, distill
from zeroseg.training.monitor import read_log
from zeroseg.training.text_supervision import TEXT


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
    quiet: bool = False


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
        digest = hashlib.sha256(json.dumps(self.settings, sort_keys=True).encode()).hexdigest()[:8]
        return lab.runs / self.experiment.name / f"{self.variant.name}-{self.seed}-{digest}"

    def is_recorded(self, lab: Laboratory) -> bool:
        """Whether there is a record of the very same settings. Raises `DatasetError` for a damaged one."""
        path = record_path(lab.records, self.experiment.name, self.variant.name, self.seed)
        return path.exists() and same_settings(read_record(path).settings, self.settings)


def plan(
    experiment: Experiment, lab: Laboratory, seeds: int, steps: int | None = None, only: Collection[str] = ()
) -> list[Run]:
    """All runs of an experiment, or those of some variants: every variant with the first seed, then with the second ...

    `steps`: those of the base, in place of its recipe's. Raises `CacheError` for a cache of another teacher or other
    views, `TrainingError` where it holds none of the images.
    """
    base = experiment.recipe()
    student = replace(base.student, teacher=lab.teacher_name, embedding_width=lab.teacher.width)
    base = replace(base, student=student, loop=replace(base.loop, steps=steps or base.loop.steps))
    lab.cache.check(lab.teacher, base.views)
    images = len(ViewData(lab.images, lab.cache, base).images)
    runs: list[Run] = []
    for seed in range(seeds):
        for variant in experiment.variants:
            if not only or variant.name in only:
                config = experiment.config(variant, base, seed)
                settings = settings_of(config, lab.teacher.fingerprint, images, lab.scenes.by_split())
                if variant.learns_from != "views":
                    settings["learns_from"] = variant.learns_from
                runs.append(Run(experiment, variant, seed, config, settings))
    return runs


def carry_out(run: Run, lab: Laboratory, counting: Counting) -> Record | None:
    """Train a run, or go on with it; measure its student and write the record. None when it was interrupted.

    The run's folder keeps student and log, so that a record that was deleted is made anew without training.
    `counting` shows the progress of measuring. Raises `TrainingError` for a run that fails.
    """
    folder = run.folder(lab)
    if not _train(run, folder, lab):
        return None
    student = Student.from_pretrained(folder / "student").to(lab.teacher.device)
    speaks_to = Teacher.from_pretrained(folder / TEXT) if (folder / TEXT).is_dir() else lab.teacher
    loop, log = run.config.loop, read_log(folder)
    samples, seconds = loop.steps * loop.batch_size, seconds_trained(log, loop.batch_size)
    record = Record(
        experiment=run.experiment.name,
        variant=run.variant.name,
        seed=run.seed,
        settings=run.settings,
        samples=samples,
        minutes=round(seconds / 60, 2),
        images_per_second=round(samples / seconds, 1),
        versions=_versions(),
        curve=curve_of(log),
        scores=measure(student, run.experiment, speaks_to.to(lab.teacher.device), lab.scenes, counting),
    )
    record.write(lab.records)
    (folder / checkpoint.NAME).unlink(missing_ok=True)
    return record


def _train(run: Run, folder: Path, lab: Laboratory) -> bool:
    """Have the run's student in its folder; False when the training was interrupted."""
    if (folder / "student" / CONFIG_NAME).is_file():
        return True
    resume = (folder / checkpoint.NAME).is_file()
    if not resume:
        shutil.rmtree(folder, ignore_errors=True)  # a run that was killed before its first checkpoint

    def judge(student: Student, teacher: Teacher = lab.teacher) -> Values:
        return {**glance(student, run.experiment, teacher, lab.scenes)}

    if run.variant.train is not None:
        return run.variant.train(run, folder, lab, judge, resume)
    return distill(lab.images, lab.cache, run.config, folder, lab.teacher, judge, resume, lab.quiet) is not None


def _versions() -> dict[str, str]:
    numpy, python = np.__version__, platform.python_version()
    return {"zeroseg": __version__, "torch": torch.__version__, "numpy": numpy, "python": python}
