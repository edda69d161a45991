"""The training loop of students and teachers. What is learned is in the objective.

Step s uses batch(s), and its noise depends only on the seed and s. So a resumed run gives the same weights as a run
without interruption.
"""

from __future__ import annotations

import math
import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Generic, Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from zeroseg.errors import ConfigError, TrainingError, ZeroSegError
from zeroseg.precision import mixed_precision
from zeroseg.student.config import plain_settings
from zeroseg.training import run_settings
from zeroseg.training.batch import B
from zeroseg.training.checkpoint import load_checkpoint, save_checkpoint
from zeroseg.training.interruption import Interruption
from zeroseg.training.monitor import Monitor, forget_after
from zeroseg.training.optimiser import Optimiser, OptimiserConfig, build_optimiser, learning_rate

Metrics = dict[str, Any]  # numbers of a step as plain JSON values


@dataclass(frozen=True)
class LoopConfig:
    """Steps, batches, precision, and how often to log, evaluate and save."""

    steps: int = 4000
    batch_size: int = 32
    seed: int = 0
    precision: Literal["bf16", "fp32"] = "bf16"  # "bf16": autocast, if the device is faster with it
    log_every: int = 25
    evaluate_every: int = 1000
    checkpoint_every: int = 500
    patience: int = 20  # steps with a non-finite loss after which the run is stopped
    workers: int = 1
    micro_batches: int = 1  # parts in which a batch is processed: they change only its memory
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "log_every", "evaluate_every", "checkpoint_every", "patience"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be 1 or more, not {getattr(self, name)}.")
        if not 0 <= self.seed < 2**32:
            raise ConfigError(f"seed must be a whole number from 0 to {2**32 - 1}, not {self.seed}.")
        if self.workers < 0:
            raise ConfigError(f"workers must be 0 or more, not {self.workers}.")
        if not 1 <= self.micro_batches <= self.batch_size:
            raise ConfigError(
                f"micro_batches must be from 1 to the batch size ({self.batch_size}), not {self.micro_batches}."
            )

    def check_whole_batches(self) -> None:
        """Raise `ConfigError` if batches are split; for losses that compare the samples of a batch."""
        if self.micro_batches > 1:
            raise ConfigError(
                "a contrastive loss compares every sample of a batch with every other one, so its batches cannot be "
                f"split: set micro_batches to 1, not {self.micro_batches}."
            )


def without_loop(config: Any) -> Metrics:
    """A config's settings without those of its `loop`, which `train` saves separately."""
    return {name: value for name, value in plain_settings(config).items() if name != "loop"}


@dataclass(frozen=True)
class Loss:
    """The loss of a batch or of a micro-batch. The sums over all micro-batches are the values of the batch."""

    value: Float[Tensor, ""]
    """The loss whose gradients are computed."""
    parts: Mapping[str, Tensor]
    """Further numbers to log, detached."""
    diagnostics: Callable[[], Mapping[str, Tensor]] = dict
    """Further numbers, or lists of counts, to log; it is only called in steps that are logged."""


@runtime_checkable
class Objective(Protocol[B]):
    """What a run learns, and from which batches. The loop knows nothing else of it."""

    @property
    def title(self) -> str:
        """One word for the progress line."""
        ...

    @property
    def loop(self) -> LoopConfig:
        """The config of the loop."""
        ...

    @property
    def settings(self) -> Metrics:
        """The settings of the run without its loop, as JSON values: a run cannot be resumed with other settings."""
        ...

    @property
    def model(self) -> nn.Module:
        """The module that is optimised."""
        ...

    def batch(self, step: int) -> B:
        """The batch of step 0, 1, 2 ...; it depends only on the step."""
        ...

    def losses(self, batch: B, progress: float, generator: torch.Generator, /) -> Iterator[Loss]:
        """The loss of every micro-batch, one after the other; with one micro-batch, the loss of the whole batch.

        `progress`: the fraction of the run that is done, 0..1. Random choices for each image are made before the batch
        is split, so that they do not depend on the number of micro-batches; noise inside the model may be drawn for
        each micro-batch.
        """
        ...


class _Steps(Dataset[Any], Generic[B]):
    """Batches by step number, in the form that torch's loader needs."""

    def __init__(self, make_batch: Callable[[int], B], first: int, last: int) -> None:
        self._make_batch, self._first, self._last = make_batch, first, last

    def __len__(self) -> int:
        return self._last - self._first

    def __getitem__(self, place: int) -> B | Exception:
        try:
            return self._make_batch(self._first + place)
        except ZeroSegError as error:  # an error raised in a worker would become a traceback, and keep the worker alive
            return error
        except Exception as error:  # other errors may not be picklable
            failure = RuntimeError(f"{type(error).__name__}: {error}")
            failure.add_note(traceback.format_exc())
            return failure


def train(
    objective: Objective[Any],
    run: Path,
    evaluate: Callable[[], Metrics] | None = None,
    resume: bool = False,
    quiet: bool = False,
) -> bool:
    """Train `objective.model` for `objective.loop.steps` steps; True if all are done, False after an interruption.

    The folder `run` receives `settings.json`, `log.jsonl` and `checkpoint.pt`.
    Raises `TrainingError` after `patience` steps whose loss was not finite.
    """
    model, config = objective.model, objective.loop
    device = next(model.parameters()).device
    optimiser = build_optimiser(model, config.optimiser)
    start, bad = _begin(objective, optimiser, run, resume)

    def save(step: int) -> None:
        state = {"model": model.state_dict(), "optimiser": optimiser.state_dict(), "step": step, "bad": bad}
        save_checkpoint(run, state)

    with Monitor(run, objective.title, config.steps, start, quiet) as monitor, Interruption() as interruption:
        if evaluate is not None and start == 0:
            monitor.record(-1, evaluate())
        for step, batch in enumerate(_prefetch(objective, start), start):
            is_last = step + 1 == config.steps
            is_logged = step % config.log_every == 0 or is_last
            metrics = update(objective, optimiser, batch.to(device), step, is_logged)
            monitor.advance(step, len(batch.names))
            if not math.isfinite(metrics["loss"]):
                bad += 1
                _report_bad(monitor, step, bad, batch.names, config, run)
            if is_logged:
                monitor.record(step, metrics | {"learning_rate": optimiser.param_groups[0]["lr"]})
            if evaluate is not None and ((step + 1) % config.evaluate_every == 0 or is_last):
                monitor.record(step, evaluate())
            if (step + 1) % config.checkpoint_every == 0 or is_last or interruption.requested:
                save(step + 1)
            if interruption.requested and not is_last:
                monitor.say(f"stopped after step {step + 1} of {config.steps}, all saved.")
                return False
    return True


def _report_bad(monitor: Monitor, step: int, bad: int, names: list[str], config: LoopConfig, run: Path) -> None:
    """Report a step that was skipped. Raises `TrainingError` after too many of them."""
    monitor.record(step, {"skipped": bad, "images": names})
    monitor.say(
        f"step {step}: the loss or its gradient is not finite; skipped ({bad} so far). Images: {', '.join(names[:8])}"
    )
    if bad >= config.patience:
        raise TrainingError(
            f"the loss was not finite {bad} times, the last time at step {step}; the images are in "
            f"{run / 'log.jsonl'}. Lower the learning rate, or look at these images."
        )


def _begin(objective: Objective[Any], optimiser: Optimiser, run: Path, resume: bool) -> tuple[int, int]:
    """Open the run folder; returns the first step to take and the number of bad steps so far."""
    settings = objective.settings | {"loop": asdict(objective.loop)}
    if not resume:
        run_settings.start(run, settings)
        return 0, 0
    state = load_checkpoint(run)
    run_settings.expect_same(run, settings)
    objective.model.load_state_dict(state["model"])
    optimiser.load_state_dict(state["optimiser"])
    forget_after(run, state["step"])
    return state["step"], state["bad"]


def _prefetch(objective: Objective[Any], start: int) -> Iterator[Any]:
    """Batches start .. steps - 1; worker processes prepare them if `workers` > 0 (and processes can fork)."""
    config = objective.loop
    batches: Iterable[Any] = map(objective.batch, range(start, config.steps))
    if config.workers and sys.platform == "linux":
        batches = DataLoader(
            _Steps(objective.batch, start, config.steps),
            batch_size=None,
            num_workers=config.workers,
            prefetch_factor=4,
            worker_init_fn=_calm,
            multiprocessing_context="fork",
        )
    for batch in batches:
        if isinstance(batch, Exception):
            raise batch
        yield batch


def _calm(_worker: int) -> None:
    """Set up a worker: it ignores signals, because the main process saves, and uses one thread."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    torch.set_num_threads(1)


def update(objective: Objective[B], optimiser: Optimiser, batch: B, step: int, is_logged: bool = True) -> Metrics:
    """Take a step; with a non-finite loss or gradient the weights stay unchanged.

    Returns the loss and the norm of the gradient; for a step that is logged also parts and diagnostics.
    """
    config, model = objective.loop, objective.model
    optimiser.set_rate(learning_rate(step, config.steps, config.optimiser))
    model.train()
    optimiser.zero_grad()
    metrics = _accumulate(objective, batch, step, is_logged)
    if math.isfinite(metrics["loss"]):
        norm = float(nn.utils.clip_grad_norm_(model.parameters(), config.optimiser.clip_norm))
        if math.isfinite(norm):
            optimiser.step()
            return metrics | {"gradient_norm": norm}
        metrics["loss"] = norm
    return metrics


def _accumulate(objective: Objective[B], batch: B, step: int, is_logged: bool) -> Metrics:
    """Add up the gradients of all micro-batches, and their numbers to log."""
    config = objective.loop
    device = next(objective.model.parameters()).device
    generator = torch.Generator(device).manual_seed(config.seed * 1_000_003 + step)
    losses = objective.losses(batch, step / config.steps, generator)

    def following() -> Loss | None:
        with mixed_precision(device, config.precision == "bf16"):
            return next(losses, None)

    value, logged = 0.0, dict[str, Tensor]()
    for loss in iter(following, None):
        value += float(loss.value.detach())
        if math.isfinite(value):
            loss.value.backward()
        if is_logged:
            for name, number in {**loss.parts, **loss.diagnostics()}.items():
                logged[name] = logged[name] + number if name in logged else number
    return {"loss": value, **{name: number.tolist() for name, number in logged.items()}}
