"""The config of the training loop, and the objectives that it trains. What is learned is in the objective.

Step s uses batch(s), and its noise depends only on the seed and s. So a resumed run gives the same weights as a run
without interruption. A step is in `update`, the run in `run`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from zeroseg.errors import ConfigError
from zeroseg.student.config import plain_settings
from zeroseg.training.batch import B
from zeroseg.training.optimiser import OptimiserConfig
from zeroseg.training.trackers import TrackerName

Metrics = dict[str, Any]  # numbers of a step as plain JSON values


@dataclass(frozen=True)
class LoopConfig:
    """Steps, batches, precision, and how often to log, evaluate and save."""

    steps: int = 4000
    batch_size: int = 32
    seed: int = 0
    precision: Literal["bf16", "fp16", "fp32"] = "bf16"
    """"bf16": autocast, if the device is faster with it; "fp16": for GPUs without bfloat16."""
    log_every: int = 25
    evaluate_every: int = 1000
    checkpoint_every: int = 500
    patience: int = 20  # steps with a non-finite loss after which the run is stopped
    workers: int = 1
    micro_batches: int = 1  # parts in which a batch is processed: they change only its memory
    ema: float = 0.0
    """Decay of an exponential moving average of the weights, which is evaluated and saved then; 0: none."""
    compile: bool = False
    """Compile transformer blocks (torch.compile), with CUDA alone: minutes at the start for faster steps."""
    checkpoint_activations: bool = False
    """Keep less of the encoder's forward pass: less memory, about a third more time."""
    log_to: tuple[TrackerName, ...] = ()
    """Where numbers go besides log.jsonl."""
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "log_every", "evaluate_every", "checkpoint_every", "patience"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be 1 or more, not {getattr(self, name)}.")
        if not 0 <= self.seed < 2**32:
            raise ConfigError(f"seed must be a whole number from 0 to {2**32 - 1}, not {self.seed}.")
        if not 0 <= self.ema < 1:
            raise ConfigError(f"ema must be 0 or more and below 1, not {self.ema:g}.")
        if self.workers < 0:
            raise ConfigError(f"workers must be 0 or more, not {self.workers}.")
        if not 1 <= self.micro_batches <= self.batch_size:
            raise ConfigError(
                f"micro_batches must be from 1 to the batch size ({self.batch_size}), not {self.micro_batches}."
            )

    def shared_by(self, processes: int) -> LoopConfig:
        """The config for several processes: each has the same number of micro-batches, one at least.

        Raises `ConfigError` if micro-batches or batches do not allow it.
        """
        if self.batch_size < processes:
            raise ConfigError(
                f"{processes} processes need batches of {processes} images or more, not {self.batch_size}."
            )
        config = replace(self, micro_batches=max(self.micro_batches, processes))
        config.check_shared(processes)
        return config

    def check_shared(self, processes: int) -> None:
        """Raise `ConfigError` unless so many processes can have the same number of micro-batches each."""
        if self.micro_batches % processes:
            raise ConfigError(
                f"micro_batches must be a multiple of the {processes} processes, not {self.micro_batches}; a training "
                "whose batches cannot be split needs one process."
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
