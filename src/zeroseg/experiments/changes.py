"""Changes of a run's config, from which variants are built: `changes.student(assignment="cosine")`."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from typing import Any

from zeroseg.experiments.design import Change
from zeroseg.training.distillation import DistillConfig


def settings(**values: Any) -> Change:
    """Settings of the run itself, such as `centre` or `mask_ratio`."""
    return lambda config: replace(config, **values)


def student(**values: Any) -> Change:
    """Settings of the student."""
    return lambda config: replace(config, student=replace(config.student, **values))


def read_out(**values: Any) -> Change:
    """Settings of the student's read-out."""
    return lambda config: student(read_out=replace(config.student.read_out, **values))(config)


def losses(**weights: float) -> Change:
    """Weights of losses."""
    return lambda config: replace(config, losses=replace(config.losses, **weights))


def batch_size(size: int) -> Change:
    """Another batch size with the same number of samples: the number of steps changes."""

    def change(config: DistillConfig) -> DistillConfig:
        steps = max(1, round(config.loop.steps * config.loop.batch_size / size))
        return replace(config, loop=replace(config.loop, batch_size=size, steps=steps))

    return change


def optimiser(factor: float = 1.0, **values: Any) -> Change:
    """Settings of the optimiser, and its learning rate times a factor."""

    def change(config: DistillConfig) -> DistillConfig:
        optimiser = config.loop.optimiser
        optimiser = replace(optimiser, learning_rate=factor * optimiser.learning_rate, **values)
        return replace(config, loop=replace(config.loop, optimiser=optimiser))

    return change


def samples(factor: float) -> Change:
    """The number of samples times `factor`, with the same batch size."""
    return lambda config: replace(config, loop=replace(config.loop, steps=round(factor * config.loop.steps)))


def summed(config: DistillConfig) -> DistillConfig:
    """Distances to views as sums over the embedding's dimensions, not means: their weights times the width."""
    width, weights = config.student.embedding_width, config.losses
    return losses(distillation=width * weights.distillation, matching=width * weights.matching)(config)


def together(*several: Change) -> Change:
    """Several changes, one after the other."""
    return lambda config: reduce(lambda changed, change: change(changed), several, config)
