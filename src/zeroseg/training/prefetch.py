"""Batches of the next steps, prepared by other processes while a step is taken."""

from __future__ import annotations

import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Generic

import torch
from torch.utils.data import DataLoader, Dataset

from zeroseg.errors import TrainingError, ZeroSegError
from zeroseg.training.batch import B
from zeroseg.training.loop import Objective
from zeroseg.training.system import end_with, open_as_many_files_as_granted

AHEAD = 4  # batches that each worker prepares
FILES = 64  # that a process has open without workers
FILES_OF_WORKER = 4 + AHEAD * 8  # its pipes, and the tensors of the batches that wait


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


def prefetch(objective: Objective[Any], start: int) -> Iterator[Any]:
    """Batches start .. steps - 1; worker processes prepare them if `workers` > 0 (and processes can fork).

    In place of a batch that cannot be made its `ZeroSegError` comes, and nothing more. Raises `TrainingError` if the
    system does not let a process open as many files as these need.
    """
    config = objective.loop
    steps = _Steps(objective.batch, start, config.steps)
    batches: Iterable[Any] = map(steps.__getitem__, range(len(steps)))
    if config.workers and sys.platform == "linux":
        _expect_open_files(config.workers)
        warnings.filterwarnings("ignore", message="This DataLoader will create")  # more workers than processors
        batches = DataLoader(
            steps,
            batch_size=None,
            num_workers=config.workers,
            prefetch_factor=AHEAD,
            worker_init_fn=partial(_calm, os.getpid()),
            multiprocessing_context="fork",
        )
    for batch in batches:
        if isinstance(batch, Exception) and not isinstance(batch, ZeroSegError):
            raise batch
        yield batch
        if isinstance(batch, ZeroSegError):
            return


def _expect_open_files(workers: int) -> None:
    """Raise `TrainingError` if the workers may need more open files than there can be: they would wait for ever."""
    granted, needed = open_as_many_files_as_granted(), FILES + workers * FILES_OF_WORKER
    if needed > granted:
        raise TrainingError(
            f"{workers} workers need up to {needed} open files, and this system grants {granted:.0f}: use fewer "
            "workers (--loop.workers), or raise the limit (`ulimit -n`)."
        )


def _calm(parent: int, _worker: int) -> None:
    """Set up a worker: it ignores signals, because the main process saves, uses one thread, and ends with its parent.

    A worker that outlived a killed parent would hold the lock of the run's folder for some seconds.
    """
    end_with(parent, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    torch.set_num_threads(1)
