"""The training of a student with any objective: loop, evaluation and saving."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from zeroseg.errors import ConfigError
from zeroseg.student import Student, StudentConfig, weights
from zeroseg.teacher import Teacher
from zeroseg.training import processes
from zeroseg.training.batch import B
from zeroseg.training.checkpoint import State
from zeroseg.training.loop import Metrics, Objective
from zeroseg.training.monitor import read_log
from zeroseg.training.run import train

STUDENT = "student"  # the folder of the student in the run's folder
BEST, LAST = "student-best", "student-last"  # with a metric to choose by: the best so far, and the last one


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
    keep_best: str | None = None,
) -> Student | None:
    """Train a student and save it in `run / "student"`. None if the run was interrupted (continue with `resume`).

    Of several processes the first one saves it; the others have the last student.
    `evaluate` is called every `evaluate_every` steps with the student in evaluation mode; its result is logged.
    `save_beside(run)` saves, before the student, what the student needs: so a run with a saved student is complete.
    `keep_best`: a metric of `evaluate`. The student with its highest value during training is then the result, and the
    last one is saved in `run / "student-last"`.
    Raises `TrainingError` if `run` is already in use, cannot be resumed, or has too many non-finite losses.
    """
    student = objective.student
    best = None if keep_best is None else BestStudent(student, run, keep_best)

    def measured() -> Metrics:
        assert evaluate is not None
        return evaluate(student.eval())

    if not train(objective, run, None if evaluate is None else measured, resume, quiet, best):
        return None
    if not processes.is_first():
        return student
    if best is not None:
        student.eval().save_pretrained(run / LAST)
        best.restore()
    if save_beside is not None:
        save_beside(run)
    student.eval().save_pretrained(run / STUDENT)
    return student


class BestStudent:
    """The student with the highest value of a metric; the student before the first step does not count.

    Its weights are a part of each checkpoint, in float16 as they are saved. So a resumed run depends neither on the log
    nor on the folder `student-best`, which is for people who look at a run before its end.
    """

    def __init__(self, student: Student, run: Path, metric: str) -> None:
        self.student, self.run, self.metric = student, run, metric
        self.value = -math.inf
        self.weights: dict[str, Tensor] | None = None

    def see(self, step: int, metrics: Metrics) -> None:
        """Keep the student of step `step` if it is the best so far."""
        if step >= 0 and metrics[self.metric] > self.value:
            self.value = metrics[self.metric]
            self.weights = {key: value.to("cpu", torch.float16) for key, value in self.student.state_dict().items()}
            self.student.eval().save_pretrained(self.run / BEST)

    def restore(self) -> None:
        """Give the student its best weights; it stays as it is if no value was a number."""
        if self.weights is not None:
            weights.fill(self.student, self.weights, self.run)

    def state_dict(self) -> State:
        """The value and the weights."""
        return {"value": self.value, "weights": self.weights}

    def load_state_dict(self, state: State | None) -> None:
        """Restore value and weights; the checkpoint of an earlier version has none, so log and folder are asked."""
        if state is not None:
            self.value, self.weights = state["value"], state["weights"]
            return
        values = [row[self.metric] for row in read_log(self.run) if self.metric in row and row["step"] >= 0]
        if values:
            self.value, self.weights = max(values), weights.read(self.run / BEST)[1]


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
