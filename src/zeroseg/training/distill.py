"""Distillation runs: they train a student on a teacher's views and windows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from zeroseg.errors import TrainingError
from zeroseg.feature_cache import FeatureCache
from zeroseg.student import Student
from zeroseg.teacher import Teacher
from zeroseg.training import processes
from zeroseg.training.distillation import Distillation, DistillConfig
from zeroseg.training.initialisation import start_from_student, start_from_teacher
from zeroseg.training.loop import Metrics
from zeroseg.training.probe import CHOSEN_BY, Probe, held_out
from zeroseg.training.student_training import student_of, train_student, training_device
from zeroseg.training.view_data import ViewData


def build_student(config: DistillConfig, cache: FeatureCache | None, teacher: Teacher | None) -> Student:
    """A student before training: mean and scale of the targets from the cache, initial weights as the recipe says.

    Weights of the encoder that the recipe does not train are frozen.

    Raises `TrainingError` if the recipe starts from the teacher and there is none, if its form does not fit, or if the
    recipe centres the targets and there is no cache.
    """
    torch.manual_seed(config.loop.seed)
    student = student_of(config.student, teacher)
    if config.centre and cache is None:
        raise TrainingError("this recipe subtracts the mean of the cached targets, and there is no cache: make one.")
    if config.centre and cache is not None:
        mean, scale = cache.statistics(config.normalise)
        student.target_mean.copy_(mean)
        student.target_scale.fill_(scale)
    if config.start_from:
        start_from_student(student, config.start_from)
    elif config.encoder_from_teacher:
        if teacher is None:
            raise TrainingError("this recipe starts from the teacher's own vision tower: name it with --teacher.")
        start_from_teacher(student, teacher)
    if config.trainable_blocks is not None:
        student.encoder.train_last(config.trainable_blocks)
    return student


def distillation_of(
    images: Sequence[Path], cache: FeatureCache | None, config: DistillConfig, teacher: Teacher | None
) -> Distillation:
    """The objective of a run; its student is not trained yet, and on the device on which it will be trained.

    Raises `TrainingError` and `CacheError` if cache, images, teacher and recipe do not fit together.
    """
    if teacher is None and (config.losses.use_windows or cache is None or config.probe):
        raise TrainingError("windows, views without a cache, and the probe need the teacher: name it with --teacher.")
    cache = None if cache is None else cache.only(config.views)
    data = ViewData(images, cache, config.student.image_size, config.loop, config.flips, config.first_images)
    student = build_student(config, cache, teacher).to(training_device(teacher))
    return Distillation(student, config, data, teacher)


def distill(
    images: Sequence[Path],
    cache: FeatureCache | None,
    config: DistillConfig,
    run: Path,
    teacher: Teacher | None = None,
    evaluate: Callable[[Student], Metrics] | None = None,
    resume: bool = False,
    quiet: bool = False,
) -> Student | None:
    """Train a student and save it in `run / "student"`. None if the run was interrupted (continue with `resume`).

    Without `cache` the teacher embeds the views in every epoch again. `teacher`: the one that made the cache; the
    student then refuses the text tower of any other one. It is needed without a cache, if the recipe starts from its
    vision tower, and for windows and the probe. `evaluate` is called every `evaluate_every` steps with the student in
    evaluation mode; its result is logged. With a probe, the student is the one that agreed best with the teacher, and
    `run / "student-last"` is the last one.
    Raises `TrainingError`, `CacheError`, `ImageError`.
    """
    if not config.probe:
        return train_student(distillation_of(images, cache, config, teacher), run, evaluate, resume, quiet)
    images, others = held_out(images, config.probe, config.loop.seed)
    objective = distillation_of(images, cache, config, teacher)
    assert teacher is not None  # `distillation_of` has raised without one
    probe = Probe(others, teacher, config) if processes.is_first() else None

    def measured(student: Student) -> Metrics:
        assert probe is not None  # the other processes measure nothing
        return probe(student) | (evaluate(student) if evaluate is not None else {})

    return train_student(objective, run, measured, resume, quiet, keep_best=CHOSEN_BY)
