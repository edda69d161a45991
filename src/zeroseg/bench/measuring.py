"""Two things that take turns, and what the seconds say."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median, quantiles
from typing import Any

import torch

WARM_UP = 1  # rounds that do not count


@dataclass(frozen=True)
class Pair:
    """What is measured, beside its floor.

    `scale`: how often the floor's work is in that of what is measured; its seconds are multiplied by it. `most`: the
    target, the largest ratio of both; None if there is none. `flops`: operations of what is measured, 0 if they are not
    known. `images`: in what is measured. `within`: a target in seconds. `curve`: the line of a plot that its seconds
    are a point of, and the place on its axis.
    """

    part: str
    what: str
    floor_is: str
    ours: Callable[[], object]
    floor: Callable[[], object]
    scale: float = 1.0
    most: float | None = None
    flops: float = 0.0
    images: int = 0
    within: float | None = None
    curve: tuple[str, float] | None = None


@dataclass(frozen=True)
class Figure:
    """What came out: seconds of both (medians), their ratio (median and quartiles of the rounds), the target."""

    part: str
    what: str
    floor_is: str
    seconds: float
    floor_seconds: float
    ratio: float
    low: float
    high: float
    rounds: int
    most: float | None
    flops: float
    images: int
    within: float | None
    curve: tuple[str, float] | None

    @property
    def is_met(self) -> bool | None:
        """Whether the target is met; None if there is none."""
        if self.within is not None:
            return self.seconds <= self.within
        return None if self.most is None else self.ratio <= self.most

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"is_met": self.is_met}


def measured(pair: Pair, rounds: int) -> Figure:
    """Let both take turns for some rounds."""
    times: list[tuple[float, float]] = []
    for number in range(WARM_UP + rounds):
        both = (pair.ours, pair.floor) if number % 2 else (pair.floor, pair.ours)
        took = [_seconds(work) for work in both]
        if number >= WARM_UP:
            times.append((took[0], took[1]) if number % 2 else (took[1], took[0]))
    ours, floor = [one for one, _ in times], [pair.scale * other for _, other in times]
    ratios = [one / other for one, other in zip(ours, floor, strict=True)]
    low, middle, high = quantiles(ratios, n=4, method="inclusive") if rounds > 1 else (ratios[0],) * 3
    return Figure(
        pair.part, pair.what, pair.floor_is, median(ours), median(floor), middle, low, high, rounds, pair.most,
        pair.flops, pair.images, pair.within, pair.curve,
    )  # fmt: skip


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
