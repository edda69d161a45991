"""AdamW over groups of parameters, Muon for matrices if it is chosen, and the learning rate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from torch import nn
from torch.optim import AdamW, Optimizer

from zeroseg.errors import ConfigError
from zeroseg.student.encoder import PatchEncoder
from zeroseg.training.gradient_scale import GradientScale
from zeroseg.training.shared_muon import SharedMuon


@dataclass(frozen=True)
class OptimiserConfig:
    """AdamW with warm-up and a half-cycle cosine (MAE's recipe); "muon" for the weights of linear layers.

    Muon (Jordan et al. 2024) makes the update of a matrix orthogonal. It is scaled to the length of AdamW's updates
    (Liu et al. 2025), so it uses the same rates and decay. All parameters outside linear layers use AdamW.
    """

    algorithm: Literal["adamw", "muon"] = "adamw"
    learning_rate: float = 1.2e-3
    encoder_rate: float = 1.0
    """Factor on the rate for the weights of a student's encoder that can start from a teacher."""
    warmup: float = 0.05  # fraction of all steps
    weight_decay: float = 0.05  # none on biases, norms, tokens and scalars
    beta1: float = 0.9
    beta2: float = 0.95
    clip_norm: float = 1.0  # the largest norm of the gradient

    def __post_init__(self) -> None:
        """Raises `ConfigError` for a value that no run can have."""
        wanted = {
            "learning_rate": ("above 0", self.learning_rate > 0),
            "encoder_rate": ("above 0", self.encoder_rate > 0),
            "warmup": ("a fraction of the run, 0 to 1", 0 <= self.warmup <= 1),
            "weight_decay": ("0 or more", self.weight_decay >= 0),
            "beta1": ("from 0 to 1 (1 excluded)", 0 <= self.beta1 < 1),
            "beta2": ("from 0 to 1 (1 excluded)", 0 <= self.beta2 < 1),
            "clip_norm": ("above 0", self.clip_norm > 0),
        }
        for name, (what, holds) in wanted.items():
            if not holds:
                raise ConfigError(f"{name} must be {what}, not {getattr(self, name):g}.")


class Optimiser:
    """One or two of torch's optimisers, used as one."""

    def __init__(self, parts: list[Optimizer]) -> None:
        self.parts = parts
        self.scale: GradientScale | None = None  # for float16

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The groups of all parts; `load_state_dict` puts new ones in their place."""
        return [group for part in self.parts for group in part.param_groups]

    def set_rate(self, rate: float) -> None:
        """Set the learning rate; groups with a `factor` get the rate times their factor."""
        for group in self.param_groups:
            group["lr"] = rate * group.get("factor", 1.0)

    def zero_grad(self) -> None:
        """Reset the gradients."""
        for part in self.parts:
            part.zero_grad(set_to_none=True)

    def step(self) -> None:
        """Update all weights that have gradients."""
        for part in self.parts:
            part.step()

    def state_dict(self) -> list[dict[str, Any]]:
        """The state that a resumed run needs. All processes call this; the first one gets all of it."""
        return [part.state_dict() for part in self.parts]

    def load_state_dict(self, states: list[dict[str, Any]]) -> None:
        """Restore the state from `state_dict()`."""
        for part, state in zip(self.parts, states, strict=True):
            part.load_state_dict(state)


def build_optimiser(model: nn.Module, config: OptimiserConfig) -> Optimiser:
    """The optimiser of all weights that are not frozen.

    Weight decay is on matrices only, not on biases, norms, scalars and learned tokens.
    """
    decayed: list[nn.Parameter] = []
    free: list[nn.Parameter] = []
    orthogonal: list[nn.Parameter] = []
    matrices = {id(module.weight) for module in model.modules() if isinstance(module, nn.Linear)}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            if config.algorithm == "muon" and id(parameter) in matrices and min(parameter.shape) > 1:
                orthogonal.append(parameter)
            elif parameter.ndim > 1 and not name.endswith(("tokens", "token", "positions", "embedding")):
                decayed.append(parameter)
            else:
                free.append(parameter)
    rate, decay = config.learning_rate, config.weight_decay
    encoders = [module for module in model.modules() if isinstance(module, PatchEncoder)]
    pretrained = {id(weight) for encoder in encoders for weight in encoder.pretrained().values()}

    def groups(parameters: list[nn.Parameter], decay: float) -> list[dict[str, Any]]:
        if config.encoder_rate == 1:
            return [{"params": parameters, "weight_decay": decay}]
        slow = [parameter for parameter in parameters if id(parameter) in pretrained]
        rest = [parameter for parameter in parameters if id(parameter) not in pretrained]
        ours = {"params": rest, "weight_decay": decay}
        return [ours, {"params": slow, "weight_decay": decay, "factor": config.encoder_rate}]

    adamw = [*groups(decayed, decay), *groups(free, 0.0)]
    parts: list[Optimizer] = [AdamW(adamw, lr=rate, betas=(config.beta1, config.beta2), fused=True)]
    if orthogonal:
        parts.append(SharedMuon(groups(orthogonal, decay), lr=rate, adjust_lr_fn="match_rms_adamw"))
    return Optimiser(parts)


def learning_rate(step: int, steps: int, config: OptimiserConfig) -> float:
    """The rate of step 0 .. steps - 1: linear warm-up, then half a cosine to 0."""
    warmup = max(1, round(config.warmup * steps))
    if step < warmup:
        return config.learning_rate * (step + 1) / warmup
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))
