"""Where a run reports besides its own log: TensorBoard and Weights & Biases, both extras."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from zeroseg.errors import ConfigError
from zeroseg.files import write_text_atomically

TrackerName = Literal["tensorboard", "wandb"]
WANDB_ID = "wandb-id.txt"  # so that a resumed run is the same run there, too


@runtime_checkable
class Tracker(Protocol):
    """Takes the numbers of a run."""

    def log(self, step: int, numbers: dict[str, float]) -> None:
        """The numbers of step 0, 1, 2 ...; -1: before the first one."""
        ...

    def close(self) -> None:
        """Write what is not written yet."""
        ...


class TensorBoard:
    """Event files in `run / "tensorboard"`."""

    def __init__(self, run: Path, start: int, _settings: dict[str, Any]) -> None:
        writer = _imported("torch.utils.tensorboard", "tensorboard").SummaryWriter
        self._writer = writer(str(run / "tensorboard"), purge_step=start + 1 if start else None)

    def log(self, step: int, numbers: dict[str, float]) -> None:
        """The number of steps done is TensorBoard's step."""
        for name, number in numbers.items():
            self._writer.add_scalar(name, number, step + 1)
        self._writer.flush()

    def close(self) -> None:
        """Close the file."""
        self._writer.close()


class WeightsAndBiases:
    """A run of wandb with the settings of ours; `WANDB_MODE=offline` keeps it on this machine."""

    def __init__(self, run: Path, _start: int, settings: dict[str, Any]) -> None:
        wandb, path = _imported("wandb", "wandb"), run / WANDB_ID
        if not path.exists():
            write_text_atomically(path, secrets.token_hex(4))
        name = path.read_text(encoding="ascii", errors="replace").strip()
        self._run = wandb.init(
            project="zeroseg", name=run.resolve().name, dir=str(run), config=settings, id=name, resume="allow"
        )

    def log(self, step: int, numbers: dict[str, float]) -> None:
        """The number of steps done is wandb's step."""
        self._run.log(numbers, step=step + 1)

    def close(self) -> None:
        """Finish the run there."""
        self._run.finish()


TRACKERS: dict[TrackerName, Callable[[Path, int, dict[str, Any]], Tracker]] = {
    "tensorboard": TensorBoard,
    "wandb": WeightsAndBiases,
}


def expect_trackers(names: tuple[TrackerName, ...]) -> None:
    """Raise `ConfigError` if one of them is not installed, before a run begins."""
    for name in names:
        _imported({"tensorboard": "torch.utils.tensorboard"}.get(name, name), name)


def _imported(module: str, extra: str) -> Any:
    """A module of an extra. Raises `ConfigError` with the command that installs it."""
    try:
        return import_module(module)
    except ImportError as error:
        raise ConfigError(
            f"{extra} is not installed: `pip install 'zeroseg[{extra}]'`, or leave it out of --log-to."
        ) from error
