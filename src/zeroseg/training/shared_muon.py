"""Muon for several processes: each makes the updates of its own matrices orthogonal, and sends them to the others.

Letters: M N rows and columns of a matrix.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim import Muon

from zeroseg.training import processes

MOMENTUM = "momentum_buffer"


class SharedMuon(Muon):
    """Process r updates the matrices r, r + count, ... and holds their momentum; one process alone has torch's Muon."""

    def matrices(self) -> list[Float[Tensor, "M N"]]:
        """All matrices, in the order of their groups."""
        return [matrix for group in self.param_groups for matrix in group["params"]]

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Update the matrices that have gradients."""
        if processes.count() == 1:
            return super().step(closure)
        matrices, count = self.matrices(), processes.count()
        gradients = [matrix.grad for matrix in matrices]
        for number, matrix in enumerate(matrices):
            if number % count != processes.rank():
                matrix.grad = None
        loss = super().step(closure)
        for matrix, gradient in zip(matrices, gradients, strict=True):
            matrix.grad = gradient
        for source in range(count):
            processes.broadcast(matrices[source::count], source)
        return loss

    def state_dict(self) -> dict[str, Any]:
        """The state of all matrices in the first process; all processes must call this."""
        if processes.count() == 1:
            return super().state_dict()
        foreign = list[Tensor]()
        matrices, count = self.matrices(), processes.count()
        for source in range(count):
            own = source == processes.rank()
            has = processes.from_process(source, [MOMENTUM in self.state.get(m, ()) for m in matrices[source::count]])
            some = [matrix for matrix, is_there in zip(matrices[source::count], has, strict=True) if is_there]
            momenta = [self.state[matrix][MOMENTUM] if own else torch.empty_like(matrix) for matrix in some]
            processes.broadcast(momenta, source)
            if not own and processes.is_first():
                self.state.update(
                    {matrix: {MOMENTUM: momentum} for matrix, momentum in zip(some, momenta, strict=True)}
                )
                foreign += some
        state = super().state_dict()
        for matrix in foreign:
            del self.state[matrix]
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state of all matrices, of which only the own ones are kept."""
        super().load_state_dict(state_dict)
        for number, matrix in enumerate(self.matrices()):
            if number % processes.count() != processes.rank():
                self.state.pop(matrix, None)
