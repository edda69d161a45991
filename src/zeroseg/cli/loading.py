"""Teachers and recipes by their names on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import torch
from tyro.conf import arg

from zeroseg.cli.messages import UsageError
from zeroseg.errors import hint
from zeroseg.models import bundled
from zeroseg.recipes import RECIPES
from zeroseg.teacher import Teacher
from zeroseg.training.distillation import DistillConfig
from zeroseg.training.loop import LoopConfig
from zeroseg.training.trackers import TrackerName

DEFAULT_RECIPE = "picturebook"
RecipeName = Annotated[str, arg(metavar=f"{{{','.join(RECIPES)}}}")]


def load_teacher(name: str, device: str | None = None) -> Teacher:
    """A teacher by bundled name, folder or hub name, by default on the GPU if there is one. Raises `TeacherError`."""
    teacher = Teacher.from_pretrained(name)
    return teacher.to(device or ("cuda" if torch.cuda.is_available() else "cpu"))


def lasting_name(teacher: str) -> str:
    """A teacher's name for a student's config: the absolute path of a folder, so that it works from any folder."""
    return str(Path(teacher).resolve()) if bundled(teacher) is None and Path(teacher).is_dir() else teacher


def recipe_named(name: str) -> DistillConfig:
    """A recipe by name. Raises `UsageError`."""
    if name not in RECIPES:
        raise UsageError(f"there is no recipe {name!r}{hint(name, RECIPES)}: choose one of {', '.join(RECIPES)}.")
    return RECIPES[name]()


def recipe_in(arguments: Sequence[str]) -> DistillConfig:
    """The recipe of `--recipe`. It is looked up before the other options are read, because it has their defaults."""
    name = DEFAULT_RECIPE
    for word, following in pairwise([*arguments, name]):
        if word == "--recipe":
            name = following
        elif word.startswith("--recipe="):
            name = word.removeprefix("--recipe=")
    return recipe_named(name)


@dataclass(frozen=True)
class LoopFlags:
    """Short names for the settings that are changed most often."""

    steps: Annotated[int | None, arg(help_behavior_hint="(short for --loop.steps)")] = None
    """Steps to train."""
    batch_size: Annotated[int | None, arg(help_behavior_hint="(short for --loop.batch-size)")] = None
    """Images a step."""
    learning_rate: Annotated[float | None, arg(help_behavior_hint="(short for --loop.optimiser.learning-rate)")] = None
    """The highest learning rate, after the warm-up."""
    seed: Annotated[int | None, arg(help_behavior_hint="(short for --loop.seed)")] = None
    """Of initial weights, order and noise."""
    log_to: Annotated[tuple[TrackerName, ...] | None, arg(help_behavior_hint="(short for --loop.log-to)")] = None
    """Where numbers go besides log.jsonl: tensorboard, wandb."""

    def over(self, loop: LoopConfig) -> LoopConfig:
        """The loop with the settings that are given here."""
        given = {name: value for name, value in vars(self).items() if value is not None}
        rate = given.pop("learning_rate", loop.optimiser.learning_rate)
        return replace(loop, **given, optimiser=replace(loop.optimiser, learning_rate=rate))
