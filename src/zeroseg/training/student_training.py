"""The training of a student with any objective: loop, evaluation and saving."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch

from zeroseg.errors import ConfigError
from zeroseg.student import Student, StudentConfig
from zeroseg.teacher import Teacher
from zeroseg.training.batch import B
from zeroseg.training.loop import Metrics, Objective, train

STUDENT = "student"  # the folder of the student in the run's folder


@runtime_checkable
class StudentObjective(Objective[B], Protocol[B]):
    """What a student learns. `model` is the student, or a module with the student and what is trained with it."""

    @property
    def student(self) -> Student:
        """The student, on the device on which it is trained."""
        ...


def train_student(
    objective: StudentObjective[Any],
    run: Path,
    evaluate: Callable[[Student], Metrics] | None = None,
    resume: bool = False,
    quiet: bool = False,
    save_beside: Callable[[Path], None] | None = None,
) -> Student | None:
    """Train a student and save it in `run / "student"`. None if the run was interrupted (continue with `resume`).

    `evaluate` is called every `evaluate_every` steps with the student in evaluation mode; its result is logged.
    `save_beside(run)` saves, before the student, what the student needs: so a run with a saved student is complete.
    Raises `TrainingError` if `run` is already in use, cannot be resumed, or has too many non-finite losses.
    """
    student = objective.student
    measured = None if evaluate is None else lambda: evaluate(student.eval())
    if not train(objective, run, measured, resume, quiet):
        return None
    if save_beside is not None:
        save_beside(run)
    student.eval().save_pretrained(run / STUDENT)
    return student


def student_of(config: StudentConfig, teacher: Teacher | None) -> Student:
    """A student with random weights, whose config has the fingerprint of its teacher's text tower."""
    return Student(config if teacher is None else replace(config, text_fingerprint=teacher.text_fingerprint))


def training_device(teacher: Teacher | None) -> torch.device:
    """The device on which students are trained: the GPU if there is one, else that of the teacher (default: CPU)."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("cpu") if teacher is None else teacher.device


def check_mask_ratio(mask_ratio: float) -> None:
    """Raise `ConfigError` unless the fraction of dropped patches is in 0 .. 1 (1 excluded)."""
    if not 0 <= mask_ratio < 1:
        raise ConfigError(f"the mask ratio must lie in 0 .. 1 (1 excluded), not be {mask_ratio}.")
