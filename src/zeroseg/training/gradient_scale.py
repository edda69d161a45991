"""The factor on the loss for float16, whose small gradients would be zero (Micikevicius et al. 2018)."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

FIRST, LARGEST = 2.0**16, 2.0**24
PATIENCE = 2000  # steps without overflow until the factor is doubled


class GradientScale:
    """A factor that is halved when a gradient is not finite, and doubled after `PATIENCE` steps in which all were."""

    def __init__(self) -> None:
        self.value, self.good = FIRST, 0

    @torch.no_grad()
    def undo(self, gradients: Iterable[Tensor]) -> None:
        """Divide gradients by the factor, in place."""
        for gradient in gradients:
            gradient.div_(self.value)

    def adapt(self, finite: bool) -> bool:
        """Change the factor after a step; whether it may be to blame for a gradient that is not finite."""
        if not finite:
            blamed = self.value > 1
            self.value, self.good = max(1.0, self.value / 2), 0
            return blamed
        self.good += 1
        if self.good == PATIENCE:
            self.value, self.good = min(LARGEST, self.value * 2), 0
        return False

    def state_dict(self) -> dict[str, float]:
        """What a resumed run needs."""
        return {"value": self.value, "good": self.good}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Restore it."""
        self.value, self.good = state["value"], int(state["good"])
