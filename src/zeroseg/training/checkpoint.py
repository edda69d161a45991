"""Checkpoints: resumable state on disk, with the optimiser's. Inference uses saved weights, never a checkpoint.

A checkpoint is `checkpoint-STEP-CHECKSUM.pt`; the checksum is the start of the SHA-256 of its content. The two newest
are kept, so that a run whose last one is damaged continues from the one before. Runs of earlier versions have one
`checkpoint.pt` without a checksum, which is read as well.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import re
from io import BufferedIOBase, BytesIO
from pathlib import Path
from typing import Any

import torch

from zeroseg.errors import TrainingError
from zeroseg.files import atomic_path

FORMER = "checkpoint.pt"
LETTERS = 16  # of the checksum
NAME = re.compile(r"checkpoint-(\d{8,})-([0-9a-f]{16})\.pt")
NEEDED = {"model", "optimiser", "step", "bad"}

State = dict[str, Any]


def checkpoints_in(folder: Path) -> list[Path]:
    """The checkpoints of a run, whether damaged or not, newest first."""
    named = [path for path in folder.glob("checkpoint-*.pt") if NAME.fullmatch(path.name)]
    former = [folder / FORMER] if (folder / FORMER).is_file() else []
    return sorted(named, key=_age, reverse=True) + former


def step_of(path: Path) -> int | None:
    """How many steps are done in a checkpoint, by its name; those of earlier versions do not say it."""
    found = NAME.fullmatch(path.name)
    return int(found[1]) if found else None


def is_whole(path: Path) -> bool:
    """Whether a checkpoint has the content that its name says; those of earlier versions do not say it."""
    found = NAME.fullmatch(path.name)
    if found is None:
        return True
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:LETTERS] == found[2]
    except OSError:
        return False


def remove_checkpoints(folder: Path) -> None:
    """Remove all checkpoints of a run that will not be continued."""
    for path in checkpoints_in(folder):
        path.unlink(missing_ok=True)


def expect_checkpoint(folder: Path) -> None:
    """Raise `TrainingError` if a run has nothing to continue from."""
    if not checkpoints_in(folder):
        raise TrainingError(
            f"there is nothing to resume in {folder}: it holds no checkpoint. Delete it and start again."
        )


def remove_left_overs(folder: Path) -> None:
    """Remove what killed processes left unfinished in a run's folder, which this process must hold."""
    for pattern in (".zeroseg-*", "*/.zeroseg-*"):
        for path in folder.glob(pattern):
            if path.suffix not in {".lock", ".dead"}:  # of processes that are asking for the folder now
                with contextlib.suppress(OSError):
                    path.unlink()


class Checkpoints:
    """The checkpoints of a run, for the process that holds its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._last: Path | None = None  # the one that is known to be whole

    def save(self, state: State) -> None:
        """Write `state` (tensors, numbers, strings; `step`: how many are done); the one before it is kept.

        A crash leaves complete checkpoints. Raises `OutputError`; then the one before is the newest.
        """
        name = ""
        with atomic_path(self.folder / FORMER, lambda: name) as path, path.open("wb") as file:
            name = f"checkpoint-{state['step']:08d}-{_save(state, _Hashed(file))}.pt"
        former, self._last = self._last, self.folder / name
        for path in checkpoints_in(self.folder):
            if path not in (former, self._last):
                path.unlink(missing_ok=True)

    def load(self) -> State:
        """The newest state that is not damaged; one sentence is logged for each that is.

        Raises `TrainingError` if there is no checkpoint, or if all are damaged.
        """
        expect_checkpoint(self.folder)
        damaged: list[str] = []
        for path in checkpoints_in(self.folder):
            state = _read(path)
            if state is not None:
                for name in damaged:
                    logging.getLogger(__name__).warning(
                        "%s is damaged; the run continues from step %d, with %s.",
                        self.folder / name, state["step"], path.name,
                    )  # fmt: skip
                self._last = path
                return state
            damaged.append(path.name)
        raise TrainingError(
            f"no checkpoint in {self.folder} can be read, they are damaged ({', '.join(damaged)}): copy the folder "
            "again, or delete it and start again."
        )


class _Hashed(BytesIO):
    """A file that is hashed while it is written; it remembers why it could not be."""

    def __init__(self, file: BufferedIOBase) -> None:
        super().__init__()
        self._file = file
        self.digest = hashlib.sha256()
        self.error: OSError | None = None

    def write(self, content: Any, /) -> int:
        """Write and hash."""
        self.digest.update(content)
        try:
            return self._file.write(content)
        except OSError as error:
            self.error = error
            raise


def _save(state: State, file: _Hashed) -> str:
    """Save and return the checksum. The error of a file is raised itself: torch gives a `RuntimeError` for it."""
    try:
        torch.save(state, file)
    except RuntimeError as error:
        raise file.error or error from error
    return file.digest.hexdigest()[:LETTERS]


def _read(path: Path) -> State | None:
    """The state in a file; None if it is damaged, whatever torch says about it."""
    if not is_whole(path):
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # pickle, zipfile and torch raise what they meet: there is no end to the list
        return None
    return state if isinstance(state, dict) and state.keys() >= NEEDED else None


def _age(path: Path) -> tuple[int, float]:
    return (step_of(path) or 0, path.stat().st_mtime)
