"""Checkpoints: resumable state on disk, with the optimiser's. Inference uses saved weights, never a checkpoint."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch

from zeroseg.errors import TrainingError
from zeroseg.files import atomic_path

NAME = "checkpoint.pt"


def save_checkpoint(folder: Path, state: dict[str, Any]) -> None:
    """Write `state` (tensors, numbers, strings). A crash leaves a complete checkpoint, the old or the new one."""
    with atomic_path(folder / NAME) as path:
        torch.save(state, path)


def load_checkpoint(folder: Path) -> dict[str, Any]:
    """Read the state. Raises `TrainingError` if there is none, or if it cannot be read."""
    path = folder / NAME
    if not path.is_file():
        raise TrainingError(f"there is nothing to resume in {folder}: it holds no {NAME}. Delete it and start again.")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise TrainingError(f"{path} cannot be read as a checkpoint; delete the folder and start again.") from error
