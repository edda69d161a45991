"""Two things that take turns, and what the seconds say."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from math import inf
from statistics import median, quantiles
from typing import Any, Literal

import torch

from zeroseg.bench.targets import Target

WARM_UP = 1  # rounds that do not count
LEAST = 3  # rounds, however long they take
Unit = Literal["s", "MB"]


@dataclass(frozen=True)
class Pair:
    """What is measured, beside its floor.

    `scale`: how often the floor's work is in that of what is measured; its seconds are multiplied by it. `target`: what
    should come out; None if there is none. `flops`: operations of what is measured, 0 if they are not known. `images`:
    in what is measured. `curve`: the line of a plot that its seconds are a point of, and the place on its axis. `unit`:
    seconds, which are measured, or MB, which both return.
    """

    part: str
    what: str
    floor_is: str
    ours: Callable[[], object]
    floor: Callable[[], object]
    scale: float = 1.0
    target: Target | None = None
    flops: float = 0.0
    images: int = 0
    curve: tuple[str, float] | None = None
    unit: Unit = "s"


@dataclass(frozen=True)
class Figure:
    """What came out: the amounts of both in `unit` (medians), their ratio (median and quartiles of the rounds)."""

    part: str
    what: str
    floor_is: str
    amount: float
    floor_amount: float
    ratio: float
    low: float
    high: float
    rounds: int
    target: Target | None
    flops: float
    images: int
    curve: tuple[str, float] | None
    unit: Unit

    @property
    def is_met(self) -> bool | None:
        """Whether the target is met; None if there is none."""
        if self.target is None:
            return None
        if self.target.within is not None:
            return self.amount <= self.target.within
        return self.target.most is not None and self.ratio <= self.target.most

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"is_met": self.is_met}


def measured(pair: Pair, rounds: int, seconds: float = inf) -> Figure:
    """Let both take turns for some rounds; no further one begins after `seconds`, but three are made."""
    begun = time.perf_counter()
    times: list[tuple[float, float]] = []
    for number in range(WARM_UP + rounds):
        both = (pair.ours, pair.floor) if number % 2 else (pair.floor, pair.ours)
        took = [_amount(work, pair.unit) for work in both]
        if number >= WARM_UP:
            times.append((took[0], took[1]) if number % 2 else (took[1], took[0]))
        if len(times) >= LEAST and time.perf_counter() - begun > seconds:
            break
    ours, floor = [one for one, _ in times], [pair.scale * other for _, other in times]
    ratios = [one / other for one, other in zip(ours, floor, strict=True)]
    low, middle, high = quantiles(ratios, n=4, method="inclusive") if len(times) > 1 else (ratios[0],) * 3
    return Figure(
        pair.part, pair.what, pair.floor_is, median(ours), median(floor), middle, low, high, len(times),
        pair.target, pair.flops, pair.images, pair.curve, pair.unit,
    )  # fmt: skip


def _amount(work: Callable[[], object], unit: Unit) -> float:
    """What some work takes: its seconds, or the MB that it returns."""
    if unit == "s":
        return _seconds(work)
    amount = work()
    assert isinstance(amount, float)
    return amount


def _seconds(work: Callable[[], object]) -> float:
    """The seconds of some work, that of a GPU included."""
    _wait()
    begun = time.perf_counter()
    work()
    _wait()
    return time.perf_counter() - begun


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
