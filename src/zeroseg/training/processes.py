"""The processes of a run that `torchrun` starts: each computes its own micro-batches of every batch.

Part k of a batch belongs to process k modulo the number of processes. All processes draw the same random numbers, and
gradients are summed over them after the last part. So two processes take the steps of one that processes the parts one
after the other, to rounding. The first process alone writes files and evaluates; the others wait for it.

Without `torchrun` there is one process, and all of this does nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import signal
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, NoReturn, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from zeroseg.errors import ConfigError, TrainingError, ZeroSegError
from zeroseg.training.system import end_with

T = TypeVar("T")
LONGEST_START = timedelta(minutes=15)  # until all processes are there
LONGEST_WAIT = timedelta(hours=24)  # for the first process, which evaluates alone
TO_SPEAK = 1.0  # seconds that a process has to print an error
BUCKET = 2**24  # elements that are sent at once


def count() -> int:
    """The number of processes."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """The number of this process, 0 .. count - 1."""
    return dist.get_rank() if count() > 1 else 0


def is_first() -> bool:
    """Whether this process is the one that writes and evaluates."""
    return rank() == 0


def is_launched() -> bool:
    """Whether `torchrun` has started this process: it sends its processes signals of its own after one from outside."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def is_restarted() -> bool:
    """Whether `torchrun` has started this process anew (`--max-restarts`), because one of the former ones died."""
    return is_launched() and int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) > 0


@contextlib.contextmanager
def joined() -> Generator[None]:
    """Join the processes that `torchrun` has started; on a machine with GPUs each takes the one of its local number.

    Warnings are left to the first process, and an error that several have to the one that has it first. When torchrun
    is killed, its processes stop as after a SIGTERM. Raises `ConfigError` if there are fewer GPUs than processes.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or dist.is_initialized():
        yield
        return
    if is_launched():
        end_with(os.getppid(), signal.SIGTERM)
    if torch.cuda.is_available():
        local, gpus = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
        if local >= gpus:
            raise ConfigError(
                f"each process needs a GPU, and there are {gpus}: start torchrun --nproc-per-node {gpus}."
            )
        torch.cuda.set_device(local)
    with _together():
        store, number, size = next(rendezvous("env://", timeout=LONGEST_START))
        # torchrun keeps its store over restarts, and with it the addresses of processes that are no longer there
        store = PrefixStore(f"attempt {os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", store)
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        dist.init_process_group(backend, timeout=LONGEST_WAIT, store=store, rank=number, world_size=size)
    if not is_first():
        logging.disable(logging.WARNING)
    try:
        with _said_once(store):
            yield
    finally:
        logging.disable(logging.NOTSET)
        dist.destroy_process_group()


@contextlib.contextmanager
def _said_once(store: Store) -> Generator[None]:
    """Of processes with the same error the first one raises it; the others just end, later than that one."""
    try:
        yield
    except Exception as error:
        try:
            had = store.add(hashlib.sha256(str(error).encode(errors="replace")).hexdigest(), 1)
        except (RuntimeError, ValueError):  # the process that keeps the store has ended
            had = 1
        if had == 1:
            raise
        time.sleep(TO_SPEAK)  # as soon as one has ended, torchrun ends all
        raise SystemExit(1) from error


def parts_of(parts: int) -> range | None:
    """The parts of a batch that are this process's own; None if there is one process, which has the whole batch."""
    return None if count() == 1 else range(rank(), parts, count())


def on_first(make: Callable[[], T]) -> T:
    """The result of the first process, on all of them. If it raises an error there, the other processes just end."""
    if count() == 1:
        return make()
    sent: list[Any] = [None]
    error: Exception | None = None
    if is_first():
        try:
            sent = [(make(),)]
        except Exception as raised:
            error = raised
    with _together():
        dist.broadcast_object_list(sent, src=0, device=torch.device("cpu"))
    if error is not None:
        raise error
    if sent[0] is None:
        raise SystemExit(1)  # the first process says why
    return sent[0][0]


def failure(sentence: str) -> TrainingError | SystemExit:
    """What all processes raise for a reason that all have: the first one an error, so that it is said once."""
    return TrainingError(sentence) if is_first() else SystemExit(1)


def any_of(flag: bool) -> bool:
    """Whether the flag is set in any process."""
    if count() == 1:
        return flag
    flags = torch.tensor([int(flag)])
    with _together():
        dist.all_reduce(flags)
    return bool(flags)


def expect_everywhere(is_right: bool, sentence: str) -> None:
    """Raise `TrainingError` in the processes where something is not right; the others just end, later than these."""
    if any_of(not is_right):
        end_after(None if is_right else TrainingError(sentence))


def end_after(error: ZeroSegError | None) -> NoReturn:
    """Raise the error of this process. One that has none just ends, later: torchrun ends all as soon as one ends."""
    if error is not None:
        raise error
    time.sleep(TO_SPEAK)
    raise SystemExit(1)


def from_process(source: int, value: T) -> T:
    """A plain value of one process, on all of them."""
    if count() == 1:
        return value
    sent = [value]
    with _together():
        dist.broadcast_object_list(sent, src=source, device=torch.device("cpu"))
    return sent[0]


def summed(numbers: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers, or lists of them, summed over all processes, which have the same names; whole numbers stay whole."""
    if count() == 1:
        return dict(numbers)
    flat = [torch.tensor(value, dtype=torch.float64).flatten() for value in numbers.values()]
    total = torch.cat(flat)
    with _together():
        dist.all_reduce(total)
    sums = dict[str, Any]()
    for (name, value), part in zip(numbers.items(), total.split([len(some) for some in flat]), strict=True):
        like = torch.tensor(value)
        sums[name] = part.view(like.shape).to(torch.float64 if like.is_floating_point() else like.dtype).tolist()
    return sums


def sum_all(tensors: Iterable[Tensor]) -> None:
    """Sum tensors over all processes, in place."""
    if count() > 1:
        with _together():
            for some in _buckets(tensors):
                flat = torch.cat([tensor.flatten() for tensor in some])
                dist.all_reduce(flat)
                _fill(some, flat)


def broadcast(tensors: Iterable[Tensor], source: int = 0) -> None:
    """Give the tensors of all processes the values that they have in one of them, in place."""
    if count() > 1:
        with _together():
            for some in _buckets(tensors):
                flat = torch.cat([tensor.flatten() for tensor in some])
                dist.broadcast(flat, src=source)
                _fill(some, flat)


def _buckets(tensors: Iterable[Tensor]) -> list[list[Tensor]]:
    """Tensors of one type and device each, up to `BUCKET` elements if there are several."""
    full, open_ones = list[list[Tensor]](), dict[tuple[torch.dtype, torch.device], list[Tensor]]()
    for tensor in tensors:
        bucket = open_ones.setdefault((tensor.dtype, tensor.device), [])
        if bucket and sum(one.numel() for one in bucket) + tensor.numel() > BUCKET:
            full.append(bucket)
            bucket = open_ones[tensor.dtype, tensor.device] = []
        bucket.append(tensor)
    return full + list(open_ones.values())


@torch.no_grad()
def _fill(tensors: Sequence[Tensor], flat: Tensor) -> None:
    for tensor, part in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
        tensor.copy_(part.view(tensor.shape))


@contextlib.contextmanager
def _together() -> Generator[None]:
    """What all processes do at the same time. Raises `TrainingError` if one of them is no longer there."""
    try:
        yield
    except (RuntimeError, ValueError) as error:  # those of torch.distributed and its stores
        raise TrainingError(
            "another process of this run has ended, so the others cannot go on; the message of that process says why. "
            "Continue with --resume."
        ) from error
