"""The design of an experiment: a base, variants of it in groups, and the read-outs of their students."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from zeroseg.dataset_names import PICTUREBOOKS
from zeroseg.segmenter import Segmenter
from zeroseg.training.distillation import DistillConfig
from zeroseg.training.loop import LoopConfig

Change = Callable[[DistillConfig], DistillConfig]

TRAINING_POINTS, VALIDATION_POINTS = 30, 9  # of a run's curve, at most
REFINED = ", refined"  # the end of the names of readings with refinement
ROUNDING = 0.05  # of the number of steps, for variants with a fraction of the base's


@dataclass(frozen=True)
class Variant:
    """An experiment's base with a change; `words` describe the change in one line.

    `learns_from` names the supervision of the student, by default distillation. Otherwise `train` trains it: it is
    called with the run, its folder, the experiment's context, a function that evaluates students, and whether to
    resume, and returns False if it was interrupted (see `running.run_variant`). It saves the student in `student`, and
    in `text` a CLIP if the student was trained with another text encoder than the teacher's.

    `texts`: the largest number of texts for an image that a text encoder is trained on, together with the student.

    A variant without training has `ready`: called with the context, it returns the segmenter, which is measured once,
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
    """A column of an experiment's table: a metric of one of its readings, on the held-out scenes of a data set."""

    title: str
    dataset: str
    reading: str
    figure: Literal["miou", "upper_bound_miou"] = "miou"
    refined: bool = False

    @property
    def name(self) -> str:
        """The name of the reading in the scores of a record."""
        return self.reading + (REFINED if self.refined else "")


@dataclass(frozen=True)
class Experiment:
    """A set of short runs of a recipe and its variants.

    `readings` are read-outs by name, as changes of the recipe's read-out: the first is the recipe's own. Margins are
    tuned on validation scenes of the first data set. The metrics in `columns` are measured and shown on the page, whose
    text is `template`. Variants of a group are in one chart with the base, so a group has at most five. `by_class`:
    data sets for which the IoU of each class is also kept. `protocol`: the evaluation protocol
    (`evaluation/protocols.py`).
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
        """All variants, the base first."""
        return (self.base, *(variant for group in self.groups.values() for variant in group))

    @property
    def datasets(self) -> tuple[str, ...]:
        """The data sets of the columns, each once."""
        return tuple(dict.fromkeys(column.dataset for column in self.columns))

    @property
    def on_disk(self) -> tuple[str, ...]:
        """Those of the data sets that are read from a folder."""
        return tuple(name for name in self.datasets if name not in PICTUREBOOKS)

    def columns_of(self, refines: bool) -> tuple[Column, ...]:
        """All columns; for a recipe without refinement, those without refinement."""
        return tuple(column for column in self.columns if refines or not column.refined)

    def length(self, variant: str, samples: int) -> float:
        """The samples of a variant's run as a fraction of those with the recipe's own number of steps."""
        changed = next(one for one in self.variants if one.name == variant)
        loop = self.config(changed, self.recipe(), 0).loop
        return samples / (loop.steps * loop.batch_size)

    def config(self, variant: Variant, base: DistillConfig, seed: int) -> DistillConfig:
        """The config of a variant's run: `base` (the recipe, perhaps with fewer steps) with the variant's change.

        The intervals of logging and evaluation are set for a curve with evenly spaced points.
        """
        config = variant.change(base)
        return replace(config, loop=_watched(replace(config.loop, seed=seed)))


def _watched(loop: LoopConfig) -> LoopConfig:
    return replace(
        loop,
        log_every=math.ceil(loop.steps / (TRAINING_POINTS - 1)),
        evaluate_every=math.ceil(loop.steps / (VALIDATION_POINTS - 1)),
    )
