"""The runs of an experiment: their plan, and how a run is trained, measured and recorded."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from zeroseg.evaluation import Counting
from zeroseg.experiments.curve import curve_of, seconds_trained
from zeroseg.experiments.design import Experiment, Variant
from zeroseg.experiments.measuring import Scenes, TestSets, measure_columns, validate
from zeroseg.experiments.records import (
    Curve,
    Record,
    Values,
    beside_defaults,
    find_record,
    same_settings,
    settings_of,
)  # fmt: skip
from zeroseg.feature_cache import FeatureCache
from zeroseg.locks import held
from zeroseg.segmenter import Segmenter
from zeroseg.student import Student
from zeroseg.student.weights import CONFIG_NAME
from zeroseg.teacher import Teacher
from zeroseg.training.checkpoint import checkpoints_in, remove_checkpoints
from zeroseg.training.distill import distill
from zeroseg.training.distillation import DistillConfig
from zeroseg.training.monitor import read_log
from zeroseg.training.text_supervision import TEXT
from zeroseg.training.view_data import cached_images
from zeroseg.versions import versions


@dataclass(frozen=True)
class ExperimentContext:
    """The inputs of all runs of an experiment: images, cache, teacher, and the folders of runs and records."""

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
        """The data sets on which students are measured."""
        return TestSets(self.scenes, self.folders)


@dataclass(frozen=True)
class Run:
    """A variant with a seed; its `settings` identify it."""

    experiment: Experiment
    variant: Variant
    seed: int
    config: DistillConfig
    settings: Values

    @property
    def title(self) -> str:
        """The run in words."""
        return f"{self.experiment.name}: {self.variant.name}, seed {self.seed}"

    def folder(self, context: ExperimentContext) -> Path:
        """Its folder. Different settings have different folders, so a changed run never uses an old checkpoint."""
        settings = json.dumps(beside_defaults(self.settings), sort_keys=True)
        digest = hashlib.sha256(settings.encode()).hexdigest()[:8]
        return context.runs / self.experiment.name / f"{self.variant.name}-{self.seed}-{digest}"

    def is_recorded(self, context: ExperimentContext) -> bool:
        """Whether it has a record with the same settings. Raises `DatasetError` for a damaged one."""
        return self.record(context) is not None

    def record(self, context: ExperimentContext) -> Record | None:
        """Its record, if there is one with the same settings, else None. Raises `DatasetError` for a damaged one."""
        record = find_record(context.records, self.experiment.name, self.variant.name, self.seed)
        return record if record is not None and same_settings(record.settings, self.settings) else None


def plan(
    experiment: Experiment, context: ExperimentContext, seeds: int, steps: int | None = None, only: Collection[str] = ()
) -> list[Run]:
    """All runs of an experiment, or those of some variants: every variant with the first seed, then with the second ...

    Variants without training are measured once. `steps`: of the base, instead of its recipe's. Raises `CacheError` for
    a cache of another teacher or other views, `TrainingError` if none of the images is in the cache.
    """
    base = experiment.recipe()
    student = replace(base.student, teacher=context.teacher_name, embedding_width=context.teacher.width)
    base = replace(base, student=student, loop=replace(base.loop, steps=steps or base.loop.steps))
    context.cache.check(context.teacher, base.views)
    known = len(cached_images(context.images, context.cache)[0])
    images = min(known, base.first_images or known)
    runs: list[Run] = []
    for seed in range(seeds):
        for variant in experiment.variants:
            if (not only or variant.name in only) and not (seed and variant.ready):
                config = experiment.config(variant, base, seed)
                own = images if config.first_images or not base.first_images else known
                settings = settings_of(config, context.teacher.fingerprint, own, context.scenes.by_split())
                if experiment.protocol != "own":
                    settings["protocol"] = experiment.protocol
                if variant.learns_from != "views":
                    settings["learns_from"] = variant.learns_from
                runs.append(Run(experiment, variant, seed, config, settings))
    return runs


def run_variant(run: Run, context: ExperimentContext, counting: Counting) -> Record | None:
    """Train a run, or resume it; measure its student and write the record. None if it was interrupted.

    The run's folder keeps student and log, so that a deleted record can be made again without training. `counting`
    shows the progress of measuring. Raises `TrainingError` for a run that fails.
    """
    if run.variant.ready is not None:
        return _measured(run, context, run.variant.ready(context), counting)
    folder = run.folder(context)
    if not train_run(run, context):
        return None
    segmenter = trained_segmenter(run, context)
    assert segmenter is not None
    loop, log = run.config.loop, read_log(folder)
    samples, seconds = loop.steps * loop.batch_size, seconds_trained(log, loop.batch_size)
    minutes, rate = round(seconds / 60, 2), round(samples / seconds, 1)
    record = _measured(run, context, segmenter, counting, samples, minutes, rate, curve_of(log))
    remove_checkpoints(folder)
    return record


def train_run(run: Run, context: ExperimentContext) -> bool:
    """Train a run, if its folder has no student yet, without measuring it; False if the training was interrupted.

    Raises `TrainingError` for a run that fails, `OutputError` for a run that another process is training.
    """
    with held(run.folder(context)):
        return _train(run, run.folder(context), context)


def _train(run: Run, folder: Path, context: ExperimentContext) -> bool:
    if (folder / "student" / CONFIG_NAME).is_file():
        return True
    resume = bool(checkpoints_in(folder))
    if not resume:
        shutil.rmtree(folder, ignore_errors=True)  # the run was killed before its first checkpoint

    def evaluate(student: Student, teacher: Teacher = context.teacher) -> Values:
        return {**validate(student, run.experiment, teacher, context.sets)}

    if run.variant.train is not None:
        return run.variant.train(run, folder, context, evaluate, resume)
    return (
        distill(context.images, context.cache, run.config, folder, context.teacher, evaluate, resume, context.quiet)
        is not None
    )


def trained_segmenter(run: Run, context: ExperimentContext) -> Segmenter | None:
    """The student in a run's folder, with the text encoder that it was trained with; None if there is no student."""
    folder = run.folder(context)
    if not (folder / "student" / CONFIG_NAME).is_file():
        return None
    student = Student.from_pretrained(folder / "student").to(context.teacher.device)
    text_encoder = Teacher.from_pretrained(folder / TEXT) if (folder / TEXT).is_dir() else context.teacher
    return Segmenter.of(student, text_encoder.to(context.teacher.device))


def _measured(
    run: Run,
    context: ExperimentContext,
    segmenter: Segmenter,
    counting: Counting,
    samples: int = 0,
    minutes: float = 0.0,
    images_per_second: float | None = None,
    curve: Curve | None = None,
) -> Record:
    """Measure the segmenter of a run, and write its record."""
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
        scores=measure_columns(segmenter, experiment, columns, context.sets, counting),
    )
    record.write(context.records)
    return record
