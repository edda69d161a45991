"""Batches: the data of a training step."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TypeVar

import torch
from torch import Tensor

S = TypeVar("S", bound="Batch")  # for its own methods


@dataclass
class Batch:
    """The names of the images in a batch; subclasses add tensors.

    A batch that several processes share has its tensors for the micro-batches of this process alone.
    """

    names: list[str] = field(kw_only=True)
    """Of the whole batch."""
    parts: range | None = field(default=None, kw_only=True)
    """The micro-batches that tensors are of; None: of the whole batch."""

    def to(self: S, device: torch.device) -> S:
        """The same batch on a device."""
        return replace(self, **{name: tensor.to(device, non_blocking=True) for name, tensor in self._tensors().items()})

    def split(self: S, count: int) -> list[S]:
        """The batch in `count` parts, or those of them that it has, in order; the first ones may be larger by 1.

        Only for batches in which the first axis of every tensor counts images.
        """
        if count == 1:
            return [self]
        places = places_of(len(self.names), count, self.parts)
        names = [[self.names[n] for n in some] for some in places]
        tensors = {name: tensor.split([len(some) for some in places]) for name, tensor in self._tensors().items()}
        return [
            replace(self, **{name: parts[number] for name, parts in tensors.items()}, names=some, parts=None)
            for number, some in enumerate(names)
        ]

    def _tensors(self) -> dict[str, Tensor]:
        return {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}


def places_of(size: int, count: int, parts: range | None = None) -> list[list[int]]:
    """The places (0 .. size - 1) of the samples of each of `count` parts, or of those in `parts`."""
    places = [some.tolist() for some in torch.arange(size).tensor_split(count)]
    return places if parts is None else [places[part] for part in parts]


B = TypeVar("B", bound=Batch)
