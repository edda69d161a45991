"""How far the runs below a folder are, from their files alone: nothing is changed, no weights are loaded."""

from __future__ import annotations

import contextlib
import json
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal, TypeGuard

from zeroseg.training.checkpoint import checkpoints_in, is_whole, step_of
from zeroseg.training.monitor import LOG_NAME, Row, read_log
from zeroseg.training.run_settings import NAME as SETTINGS

if sys.platform != "win32":
    import fcntl

State = Literal["running", "stopped", "complete", "damaged"]
RATES = 8  # of the log, whose median says how long a run takes yet
RESULTS = ("student", "student-best", "student-last", "teacher")  # folders of what a run makes


@dataclass(frozen=True)
class RunState:
    """A run: its state, its steps, and the last numbers of its log; None where there are none yet."""

    name: str
    """The folder, below the one that was searched."""
    state: State
    step: int
    """Steps that are done: by the log if it is running, else those that a checkpoint has."""
    steps: int | None
    loss: float | None
    figure: tuple[str, float] | None
    """The first metric of the last evaluation, by name."""
    images_per_second: float | None
    seconds_left: float | None
    """Of a run that is running, by its last rates."""
    checkpoint: str | None
    """The newest checkpoint."""
    results: tuple[str, ...]
    losses: tuple[tuple[int, float], ...]
    """Steps and losses that were logged."""


def runs_below(folder: Path) -> Iterator[RunState]:
    """The runs in a folder and below it, in the order of their names."""
    begun = {path.parent for name in (SETTINGS, LOG_NAME) for path in folder.rglob(name)}
    for run in sorted(begun):
        if (run / LOG_NAME).exists() or checkpoints_in(run):
            yield state_of(run, str(run.relative_to(folder)) if run != folder else run.resolve().name)


def state_of(run: Path, name: str) -> RunState:
    """The state of one run. A line of its log that is damaged is left out, with a warning."""
    log, saved, (steps, batch_size) = read_log(run), checkpoints_in(run), _steps_and_batch_size(run)
    results = tuple(result for result in RESULTS if (run / result / "config.json").is_file())
    logged = max((row["step"] + 1 for row in log), default=0)
    done = step_of(saved[0]) if saved else 0
    losses = tuple((row["step"] + 1, row["loss"]) for row in log if _is_number(row.get("loss")))
    rates = [rate for row in log if (rate := _rate(row))]
    running = _is_held(run)
    if running:
        state: State = "running"
    elif steps is None or (saved and not is_whole(saved[0])):
        state = "damaged"
    else:
        state = "complete" if {"student", "teacher"} & {*results} else "stopped"
    return RunState(
        name=name,
        state=state,
        step=logged if running or done is None or state == "complete" else done,
        steps=steps,
        loss=losses[-1][1] if losses else None,
        figure=next((figure for row in reversed(log) if (figure := _figure(row))), None),
        images_per_second=rates[-1] if rates else None,
        seconds_left=(steps - logged) * batch_size / median(rates[-RATES:]) if running and steps and rates else None,
        checkpoint=saved[0].name if saved else None,
        results=results,
        losses=losses,
    )


def _figure(row: Row) -> tuple[str, float] | None:
    """The first metric of an evaluation; None for other records."""
    if "loss" in row or "skipped" in row:
        return None
    named = ((key, value) for key, value in row.items() if key not in ("step", "time", "images_per_second"))
    return next(((key, value) for key, value in named if _is_number(value)), None)


def _rate(row: Row) -> float | None:
    """Images a second, of a record with a loss."""
    rate = row.get("images_per_second")
    return rate if "loss" in row and _is_number(rate) else None


def _is_number(value: Any) -> TypeGuard[float]:
    """Whether a value of a log is a finite number with decimals; lines of earlier versions have no checksum."""
    return isinstance(value, float) and math.isfinite(value)


def _steps_and_batch_size(run: Path) -> tuple[int | None, int]:
    """The steps of a run and the images of each by its settings; None and 0 if these are damaged."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        loop: Any = json.loads((run / SETTINGS).read_text(encoding="utf-8"))["loop"]
        return int(loop["steps"]), int(loop["batch_size"])
    return None, 0


def _is_held(run: Path) -> bool:
    """Whether a process trains the run now: it holds the folder's lock (`locks.held`)."""
    if sys.platform != "win32":
        with contextlib.suppress(FileNotFoundError), (run / ".lock").open("rb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
    return False
