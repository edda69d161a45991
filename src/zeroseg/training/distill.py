"""Distilling a teacher's cached views into a student: the run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from zeroseg.errors import TrainingError
from zeroseg.feature_cache import FeatureCache
from zeroseg.student import Student
from zeroseg.teacher import Teacher
from zeroseg.training.distillation import Distillation, DistillConfig
from zeroseg.training.initialisation import start_from_student, start_from_teacher
from zeroseg.training.loop import Metrics
from zeroseg.training.student_training import train_student, training_device
from zeroseg.training.view_data import ViewData


def build_student(config: DistillConfig, cache: FeatureCache, teacher: Teacher | None) -> Student:
    """A student before training: targets' mean and scale from the cache, first weights from where the recipe says."""
    torch.manual_seed(config.loop.seed)
    student = Student(config.student)
    if config.centre:
        mean, scale = cache.statistics(config.normalise)
        student.target_mean.copy_(mean)
        student.target_scale.fill_(scale)
    if config.start_from:
        start_from_student(student, config.start_from)
    elif config.encoder_from_teacher:
        if teacher is None:
            raise TrainingError("this recipe starts from the teacher's own vision tower: name it with --teacher.")
        start_from_teacher(student, teacher)
    return student


def distillation_of(
    images: Sequence[Path], cache: FeatureCache, config: DistillConfig, teacher: Teacher | None
) -> Distillation:
    """The objective of a run, with its student before training, where it will be trained.

    Raises `TrainingError` and `CacheError` where cache, images, teacher or recipe do not go together.
    """
    cache = cache.only(config.views)
    data = ViewData(images, cache, config.student.image_size, config.loop, config.flips, config.first_images)
    student = build_student(config, cache, teacher).to(training_device(teacher))
    return Distillation(student, config, data)


def distill(
    images: Sequence[Path],
    cache: FeatureCache,
    config: DistillConfig,
    run: Path,
    teacher: Teacher | None = None,
    evaluate: Callable[[Student], Metrics] | None = None,
    resume: bool = False,
    quiet: bool = False,
) -> Student | None:
    """Train a student; it is saved in `run / "student"`. None when the run was interrupted (go on with `resume`).

    `teacher` is only needed where the recipe starts from its vision tower. `evaluate` is called now and then with the
    student in evaluation mode; what it returns goes to the log. Raises `TrainingError`, `CacheError`, `ImageError`.
    """
    return train_student(distillation_of(images, cache, config, teacher), run, evaluate, resume, quiet)
