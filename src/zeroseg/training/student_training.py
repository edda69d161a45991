"""How a student is trained, whatever it learns from: the frame around the loop."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch

from zeroseg.errors import ConfigError
from zeroseg.student import Student
from zeroseg.teacher import Teacher
from zeroseg.training.batch import B
from zeroseg.training.loop import Metrics, Objective, train

STUDENT = "student"  # the folder of the student, in the run's


@runtime_checkable
class StudentObjective(Objective[B], Protocol[B]):
    """What a student learns; `model` is the student, or holds it beside what learns with it."""

    @property
    def student(self) -> Student:
        """The student, where it is to be trained."""
        ...


def train_student(
    objective: StudentObjective[Any],
    run: Path,
    evaluate: Callable[[Student], Metrics] | None = None,
    resume: bool = False,
    quiet: bool = False,
    save_beside: Callable[[Path], None] | None = None,
) -> Student | None:
    """Train a student; it is saved in `run / "student"`. None when the run was interrupted (go on with `resume`).

    `evaluate` is called now and then with the student in evaluation mode; what it returns goes to the log.
    `save_beside(run)` saves what the student is nothing without, before it: a folder with a student is complete.
    Raises `TrainingError`.
    """
    student = objective.student
    measured = None if evaluate is None else lambda: evaluate(student.eval())
    if not train(objective, run, measured, resume, quiet):
        return None
    if save_beside is not None:
        save_beside(run)
    student.eval().save_pretrained(run / STUDENT)
    return student


def training_device(teacher: Teacher | None) -> torch.device:
    """Where students are trained: on the GPU where there is one, else where the teacher is."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("cpu") if teacher is None else teacher.device


def check_mask_ratio(mask_ratio: float) -> None:
    """Raise `ConfigError` unless the fraction of patches that the encoder does not see leaves some."""
    if not 0 <= mask_ratio < 1:
        raise ConfigError(f"the mask ratio must lie in 0 .. 1 (1 excluded), not be {mask_ratio}.")
