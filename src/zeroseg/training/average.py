"""An exponential moving average of the weights (Polyak and Juditsky 1992), to evaluate and save."""

from __future__ import annotations

import contextlib
from collections.abc import Generator

import torch
from torch import Tensor, nn


class Average:
    """The average of a model's weights over its steps; buffers are as they are in the model."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model, self.decay = model, decay
        self.weights = {name: weight.detach().clone() for name, weight in model.named_parameters()}

    @torch.no_grad()
    def update(self) -> None:
        """After a step: `decay` times the average, the rest from the weights."""
        for name, weight in self.model.named_parameters():
            self.weights[name].lerp_(weight, 1 - self.decay)

    @contextlib.contextmanager
    def in_place(self) -> Generator[None]:
        """A block in which the model has the average as its weights."""
        former = {name: weight.detach().clone() for name, weight in self.model.named_parameters()}
        self.give(self.weights)
        try:
            yield
        finally:
            self.give(former)

    @torch.no_grad()
    def give(self, weights: dict[str, Tensor]) -> None:
        """Give the model some weights."""
        for name, weight in self.model.named_parameters():
            weight.copy_(weights[name])

    def state_dict(self) -> dict[str, Tensor]:
        """The average, by names of weights."""
        return self.weights

    def load_state_dict(self, weights: dict[str, Tensor]) -> None:
        """Restore it, on the device of the model."""
        for name, weight in self.weights.items():
            weight.copy_(weights[name])
