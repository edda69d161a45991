"""AdamW over two groups of parameters, and the learning rate at every step."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import nn
from torch.optim import AdamW


@dataclass(frozen=True)
class OptimiserConfig:
    """AdamW with warm-up and a half-cycle cosine (MAE's recipe)."""

    learning_rate: float = 1.2e-3
    warmup: float = 0.05  # share of all steps
    weight_decay: float = 0.05  # none on biases, norms, tokens and scalars
    beta1: float = 0.9
    beta2: float = 0.95
    clip_norm: float = 1.0  # the gradient's length is cut to this


def build_optimiser(model: nn.Module, config: OptimiserConfig) -> AdamW:
    """AdamW with weight decay on matrices only: biases, norms, scalars and learned tokens go free."""
    decayed: list[nn.Parameter] = []
    free: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            is_matrix = parameter.ndim > 1 and not name.endswith(("tokens", "token", "positions", "embedding"))
            (decayed if is_matrix else free).append(parameter)
    groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": free, "weight_decay": 0.0}]
    return AdamW(groups, lr=config.learning_rate, betas=(config.beta1, config.beta2), fused=True)


def learning_rate(step: int, steps: int, config: OptimiserConfig) -> float:
    """The rate of step 0 .. steps - 1: linear warm-up, then half a cosine to 0."""
    warmup = max(1, round(config.warmup * steps))
    if step < warmup:
        return config.learning_rate * (step + 1) / warmup
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))
