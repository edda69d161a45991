"""What an experiment is: a base, variants of it in groups, and how their students are read."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from zeroseg.segmenter import Segmenter
from zeroseg.training.distillation import DistillConfig
from zeroseg.training.loop import LoopConfig

Change = Callable[[DistillConfig], DistillConfig]

TRAINING_POINTS, VALIDATION_POINTS = 30, 9  # of a run's curve, at most
REFINED = ", refined"  # ends the name of a reading with the refinement of the read-out


@dataclass(frozen=True)
class Variant:
    """An experiment's base with a change; `words` say in one line what is changed.

    `learns_from` is what trains the student, distillation if it is not said otherwise; `train` does it, then: it is
    called with the run, its folder, the experiment's context, a function that evaluates students, and whether to
    resume, and returns False when it was interrupted (see `running.run_variant`). It leaves the student in `student`,
    and in `text` a CLIP where the student learned with another text encoder than the teacher's.

    `texts`: how many texts stand beside an image, at most, and go through a text encoder that learns with the student.

    What learns nothing has `ready` instead: called with the context, it gives the segmenter, which is measured once,
    in the first reading.
    """

    name: str
    words: str
    change: Change = lambda config: config
    learns_from: str = "views"
    texts: int = 0
    train: Callable[..., bool] | None = field(default=None, repr=False, compare=False)
    ready: Callable[..., Segmenter] | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Column:
    """A column of an experiment's table: a figure of one of its readings, on the held-out scenes of a data set."""

    title: str
    dataset: str
    reading: str
    figure: Literal["miou", "upper_bound_miou"] = "miou"
    refined: bool = False

    @property
    def name(self) -> str:
        """The reading's, in the scores of a record."""
        return self.reading + (REFINED if self.refined else "")


@dataclass(frozen=True)
class Experiment:
    """A question that is asked of a recipe with short runs.

    `readings` are ways to read a student, by name, as changes of its recipe's read-out: the first is the recipe's own.
    Margins are tuned on validation scenes of the first data set. What `columns` ask for is measured, and shown on the
    page, whose prose is `template`. Variants of a group share a chart with the base, so a group holds five at most.
    `by_class`: data sets of which the IoU of each class is kept, too. `protocol`: one of the field
    (`evaluation/protocols.py`) that students are measured under.
    """

    name: str
    recipe: Callable[[], DistillConfig]
    base: Variant
    groups: Mapping[str, tuple[Variant, ...]]
    readings: Mapping[str, Mapping[str, Any]]
    columns: tuple[Column, ...]
    template: Path = field(repr=False)
    by_class: tuple[str, ...] = ()
    protocol: str = "own"

    @property
    def variants(self) -> tuple[Variant, ...]:
        """All of them, the base first."""
        return (self.base, *(variant for group in self.groups.values() for variant in group))

    @property
    def datasets(self) -> tuple[str, ...]:
        """Those of the columns, each once."""
        return tuple(dict.fromkeys(column.dataset for column in self.columns))

    def columns_of(self, refines: bool) -> tuple[Column, ...]:
        """All columns, or for a recipe that refines nothing those without refinement."""
        return tuple(column for column in self.columns if refines or not column.refined)

    def config(self, variant: Variant, base: DistillConfig, seed: int) -> DistillConfig:
        """The run of a variant: `base` (the recipe, perhaps with fewer steps) changed, watched at even distances."""
        config = variant.change(base)
        return replace(config, loop=_watched(replace(config.loop, seed=seed)))


def _watched(loop: LoopConfig) -> LoopConfig:
    return replace(
        loop,
        log_every=math.ceil(loop.steps / (TRAINING_POINTS - 1)),
        evaluate_every=math.ceil(loop.steps / (VALIDATION_POINTS - 1)),
    )
