"""Batches: the data of a training step."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TypeVar

import torch
from torch import Tensor

S = TypeVar("S", bound="Batch")  # for its own methods


@dataclass
class Batch:
    """The names of the images in a batch; subclasses add tensors."""

    names: list[str] = field(kw_only=True)

    def to(self: S, device: torch.device) -> S:
        """The same batch on a device."""
        return replace(self, **{name: tensor.to(device, non_blocking=True) for name, tensor in self._tensors().items()})

    def split(self: S, count: int) -> list[S]:
        """The batch in `count` parts. If its size is not a multiple of `count`, the first parts are larger by 1.

        Only for batches in which the first axis of every tensor counts images.
        """
        if count == 1:
            return [self]
        names = [[self.names[n] for n in some.tolist()] for some in torch.arange(len(self.names)).tensor_split(count)]
        tensors = {name: tensor.tensor_split(count) for name, tensor in self._tensors().items()}
        return [
            replace(self, **{name: parts[number] for name, parts in tensors.items()}, names=some)
            for number, some in enumerate(names)
        ]

    def _tensors(self) -> dict[str, Tensor]:
        return {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}


B = TypeVar("B", bound=Batch)
