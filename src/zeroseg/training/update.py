"""One step of training: the gradients of all micro-batches, and the update of the weights."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from zeroseg.precision import mixed_precision
from zeroseg.training import processes
from zeroseg.training.batch import B
from zeroseg.training.loop import Loss, Metrics, Objective
from zeroseg.training.optimiser import Optimiser, learning_rate


def update(objective: Objective[B], optimiser: Optimiser, batch: B, step: int, is_logged: bool = True) -> Metrics:
    """Take a step, together with the other processes; with a non-finite loss or gradient the weights stay unchanged.

    Returns the loss and the norm of the gradient; for a step that is logged also parts and diagnostics.
    """
    config, model = objective.loop, objective.model
    optimiser.set_rate(learning_rate(step, config.steps, config.optimiser))
    model.train()
    optimiser.zero_grad()
    factor = 1.0 if optimiser.scale is None else optimiser.scale.value
    metrics = processes.summed(_accumulate(objective, batch, step, is_logged, factor))
    if math.isfinite(metrics["loss"]):
        gradients = [weight.grad for weight in model.parameters() if weight.grad is not None]
        processes.sum_all(gradients)
        if optimiser.scale is not None:
            optimiser.scale.undo(gradients)
        norm = float(nn.utils.clip_grad_norm_(model.parameters(), config.optimiser.clip_norm))
        overflown = optimiser.scale is not None and optimiser.scale.adapt(math.isfinite(norm))
        if math.isfinite(norm):
            optimiser.step()
            return metrics | {"gradient_norm": norm}
        if not overflown:  # else the next step has a smaller factor
            metrics["loss"] = norm
    return metrics


def _accumulate(objective: Objective[B], batch: B, step: int, is_logged: bool, factor: float) -> Metrics:
    """Add up the gradients of all micro-batches, times a factor, and their numbers to log."""
    config = objective.loop
    device = next(objective.model.parameters()).device
    generator = torch.Generator(device).manual_seed(config.seed * 1_000_003 + step)
    losses = objective.losses(batch, step / config.steps, generator)

    half = torch.autocast(device.type, torch.float16, enabled=config.precision == "fp16")

    def following() -> Loss | None:
        with half if config.precision == "fp16" else mixed_precision(device, config.precision == "bf16"):
            return next(losses, None)

    value, logged = 0.0, dict[str, Tensor]()
    for loss in iter(following, None):
        value += float(loss.value.detach())
        if math.isfinite(value):
            (loss.value if factor == 1 else loss.value * factor).backward()
        if is_logged:
            for name, number in {**loss.parts, **loss.diagnostics()}.items():
                logged[name] = logged[name] + number if name in logged else number
    return {"loss": value, **{name: number.tolist() for name, number in logged.items()}}
