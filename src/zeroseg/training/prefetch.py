"""Batches of the next steps, prepared by other processes while a step is taken."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Generic

import torch
from torch.utils.data import DataLoader, Dataset

from zeroseg.errors import ZeroSegError
from zeroseg.training.batch import B
from zeroseg.training.loop import Objective

PR_SET_PDEATHSIG = 1  # of Linux: the signal that a process gets when its parent dies


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
    """Batches start .. steps - 1; worker processes prepare them if `workers` > 0 (and processes can fork)."""
    config = objective.loop
    batches: Iterable[Any] = map(objective.batch, range(start, config.steps))
    if config.workers and sys.platform == "linux":
        batches = DataLoader(
            _Steps(objective.batch, start, config.steps),
            batch_size=None,
            num_workers=config.workers,
            prefetch_factor=4,
            worker_init_fn=partial(_calm, os.getpid()),
            multiprocessing_context="fork",
        )
    for batch in batches:
        if isinstance(batch, Exception):
            raise batch
        yield batch


def _calm(parent: int, _worker: int) -> None:
    """Set up a worker: it ignores signals, because the main process saves, uses one thread, and ends with its parent.

    A worker that outlived a killed parent would hold the lock of the run's folder for some seconds.
    """
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died just before
        os._exit(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    torch.set_num_threads(1)
