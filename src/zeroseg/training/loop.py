"""The loop that trains the student and the teacher alike: it knows steps, not what is learned.

Step s sees batch(s) and draws its noise from seed and s alone, so a resumed run is the same run.
"""

from __future__ import annotations

import json
import math
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from zeroseg.errors import ConfigError, TrainingError, ZeroSegError
from zeroseg.files import write_text_atomically
from zeroseg.precision import mixed_precision
from zeroseg.student.config import plain_settings
from zeroseg.training.checkpoint import load_checkpoint, save_checkpoint
from zeroseg.training.interruption import Interruption
from zeroseg.training.monitor import Monitor, forget_after
from zeroseg.training.optimiser import Optimiser, OptimiserConfig, build_optimiser, learning_rate

Figures = dict[str, Any]
B = TypeVar("B", bound="Batch")


@dataclass
class Batch:
    """What a step learns from: tensors, which heirs add, and the names of the images that they come from."""

    names: list[str] = field(kw_only=True)

    def to(self: B, device: torch.device) -> B:
        """The same batch on a device."""
        tensors = {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}
        return replace(self, **{name: tensor.to(device, non_blocking=True) for name, tensor in tensors.items()})


@dataclass(frozen=True)
class LoopConfig:
    """How long, how fast, how often."""

    steps: int = 4000
    batch_size: int = 32
    seed: int = 0
    precision: Literal["bf16", "fp32"] = "bf16"  # "bf16": autocast, where the device is faster with it
    log_every: int = 25
    evaluate_every: int = 1000
    checkpoint_every: int = 500
    patience: int = 20  # steps with a non-finite loss before the run is given up
    workers: int = 1
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "log_every", "evaluate_every", "checkpoint_every", "patience"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be 1 or more, not {getattr(self, name)}.")
        if not 0 <= self.seed < 2**32:
            raise ConfigError(f"seed must be a whole number from 0 to {2**32 - 1}, not {self.seed}.")
        if self.workers < 0:
            raise ConfigError(f"workers must be 0 or more, not {self.workers}.")


def without_loop(config: Any) -> Figures:
    """A config's settings but for those of its `loop`, which `train` keeps by itself."""
    return {name: value for name, value in plain_settings(config).items() if name != "loop"}


class _Steps(Dataset[Any], Generic[B]):
    """Batches by step number, as torch's loader wants them."""

    def __init__(self, make_batch: Callable[[int], B], first: int, last: int) -> None:
        self._make_batch, self._first, self._last = make_batch, first, last

    def __len__(self) -> int:
        return self._last - self._first

    def __getitem__(self, place: int) -> B | ZeroSegError:
        try:
            return self._make_batch(self._first + place)
        except ZeroSegError as error:  # raised in a worker it would arrive as a traceback: it is handed over
            return error


def train(
    model: nn.Module,
    make_batch: Callable[[int], B],
    loss_of: Callable[[B, torch.Generator], tuple[Tensor, Figures]],
    config: LoopConfig,
    run: Path,
    title: str,
    settings: Figures,
    evaluate: Callable[[], Figures] | None = None,
    resume: bool = False,
    quiet: bool = False,
) -> bool:
    """Train `model` for `config.steps` steps; True when all are done, False when the run was interrupted.

    `make_batch(step)` must depend on nothing but the step. `loss_of(batch, generator)` returns the loss and
    figures to log. `settings` (JSON values) is what the run is: a resume under other settings is refused.
    The folder `run` receives `settings.json`, `log.jsonl` and `checkpoint.pt`.
    Raises `TrainingError` after `config.patience` steps whose loss was not finite.
    """
    device = next(model.parameters()).device
    optimiser = build_optimiser(model, config.optimiser)
    start, bad = _begin(model, optimiser, config, run, settings, resume)

    def save(step: int) -> None:
        state = {"model": model.state_dict(), "optimiser": optimiser.state_dict(), "step": step, "bad": bad}
        save_checkpoint(run, state)

    with Monitor(run, title, config.steps, start, quiet) as monitor, Interruption() as interruption:
        if evaluate is not None and start == 0:
            monitor.record(-1, evaluate())
        for step, batch in enumerate(_prefetch(make_batch, start, config), start):
            generator = torch.Generator(device).manual_seed(config.seed * 1_000_003 + step)
            figures = update(model, optimiser, batch.to(device), generator, loss_of, step, config)
            monitor.advance(step, len(batch.names))
            if not math.isfinite(figures["loss"]):
                bad += 1
                _report_bad(monitor, step, bad, batch.names, config, run)
            is_last = step + 1 == config.steps
            if step % config.log_every == 0 or is_last:
                monitor.record(step, figures | {"learning_rate": optimiser.param_groups[0]["lr"]})
            if evaluate is not None and ((step + 1) % config.evaluate_every == 0 or is_last):
                monitor.record(step, evaluate())
            if (step + 1) % config.checkpoint_every == 0 or is_last or interruption.requested:
                save(step + 1)
            if interruption.requested and not is_last:
                monitor.say(f"stopped after step {step + 1} of {config.steps}, all saved.")
                return False
    return True


def _report_bad(monitor: Monitor, step: int, bad: int, names: list[str], config: LoopConfig, run: Path) -> None:
    """Tell of a step that was skipped, and give up after too many of them."""
    monitor.record(step, {"skipped": bad, "images": names})
    monitor.say(
        f"step {step}: the loss or its gradient is not finite; skipped ({bad} so far). Images: {', '.join(names[:8])}"
    )
    if bad >= config.patience:
        raise TrainingError(
            f"the loss was not finite {bad} times, the last time at step {step}; the images are in "
            f"{run / 'log.jsonl'}. Lower the learning rate, or look at these images."
        )


def _begin(
    model: nn.Module, optimiser: Optimiser, config: LoopConfig, run: Path, settings: Figures, resume: bool
) -> tuple[int, int]:
    """Open the run folder; the first step to take and the bad steps so far."""
    path = run / "settings.json"
    settings = json.loads(json.dumps(settings | {"loop": asdict(config)}))
    if not resume:
        if path.exists():
            raise TrainingError(f"{run} already holds a run: name another --out, or go on with --resume.")
        write_text_atomically(path, json.dumps(settings, indent=2) + "\n")
        return 0, 0
    state = load_checkpoint(run)
    try:
        former = json.loads(path.read_text(encoding="utf-8"))
        former["loop"]["workers"] = settings["loop"]["workers"]  # they change nothing but the speed
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{path} is missing or damaged: delete the folder and start anew.") from error
    changed = sorted(key for key in former.keys() | settings.keys() if former.get(key) != settings.get(key))
    if changed:
        raise TrainingError(f"{run} was begun with other settings ({', '.join(changed)}): resume with the same ones.")
    model.load_state_dict(state["model"])
    optimiser.load_state_dict(state["optimiser"])
    forget_after(run, state["step"])
    return state["step"], state["bad"]


def _prefetch(make_batch: Callable[[int], B], start: int, config: LoopConfig) -> Iterator[Any]:
    """Batches start .. steps - 1, made ahead by worker processes where `workers` > 0 (and processes can fork)."""
    steps = _Steps(make_batch, start, config.steps)
    batches: Iterable[Any] = (steps[place] for place in range(len(steps)))
    if config.workers and sys.platform == "linux":
        batches = DataLoader(
            steps,
            batch_size=None,
            num_workers=config.workers,
            prefetch_factor=4,
            worker_init_fn=_calm,
            multiprocessing_context="fork",
        )
    for batch in batches:
        if isinstance(batch, ZeroSegError):
            raise batch
        yield batch


def _calm(_worker: int) -> None:
    """Workers leave signals to the main process, which saves, and keep to one thread."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    torch.set_num_threads(1)


def update(
    model: nn.Module,
    optimiser: Optimiser,
    batch: B,
    generator: torch.Generator,
    loss_of: Callable[[B, torch.Generator], tuple[Tensor, Figures]],
    step: int,
    config: LoopConfig,
) -> Figures:
    """Take a step and return its figures; a non-finite loss or gradient leaves the weights as they were."""
    for group in optimiser.param_groups:
        group["lr"] = learning_rate(step, config.steps, config.optimiser)
    model.train()
    device = next(model.parameters()).device
    with mixed_precision(device, config.precision == "bf16"):
        loss, figures = loss_of(batch, generator)
    optimiser.zero_grad()
    value = float(loss.detach())
    if math.isfinite(value):
        loss.backward()
        norm = float(nn.utils.clip_grad_norm_(model.parameters(), config.optimiser.clip_norm))
        if math.isfinite(norm):
            optimiser.step()
            return {"loss": value, **figures, "gradient_norm": norm}
        value = norm
    return {"loss": value, **figures}
