"""What a table of the paper is here: runs that answer its question, and the paper's figures to set beside ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from math import hypot
from statistics import mean, stdev

from zeroseg.experiments import Column, Experiment, Variant


@dataclass(frozen=True)
class PaperTable:
    """A table of the paper whose rows are trained.

    `paper` has the paper's mIoU (per cent, VOC) of the rows that it has; `column` is the figure of ours beside it.
    `note` says what must be known to compare them.
    """

    name: str
    title: str
    note: str
    experiment: Experiment
    paper: Mapping[str, float]
    column: Column

    @property
    def rows(self) -> list[Variant]:
        """Those of the paper in its order, then the others."""
        order = list(self.paper)
        variants = self.experiment.variants
        return sorted(variants, key=lambda row: order.index(row.name) if row.name in order else len(order))


@dataclass(frozen=True)
class Agreement:
    """How far two orders of the same rows agree, pair by pair."""

    agree: int
    tied: int  # ours differ by less than their spread
    against: tuple[tuple[str, str], ...]  # the paper has the first above the second, ours below

    @property
    def pairs(self) -> int:
        """All of them."""
        return self.agree + self.tied + len(self.against)


def compare(paper: Mapping[str, float], ours: Mapping[str, list[float]]) -> Agreement:
    """Compare the order of rows that both have. Ours are figures of several seeds.

    Two of ours are tied when their means differ by no more than their standard deviations together.
    """
    both = [name for name in paper if ours.get(name)]
    agree, tied, against = 0, 0, list[tuple[str, str]]()
    for one, other in combinations(both, 2):
        first, second = (one, other) if paper[one] >= paper[other] else (other, one)
        lead = mean(ours[first]) - mean(ours[second])
        if abs(lead) <= hypot(*(stdev(ours[name]) if len(ours[name]) > 1 else 0.0 for name in (first, second))):
            tied += 1
        elif lead > 0:
            agree += 1
        else:
            against.append((first, second))
    return Agreement(agree, tied, tuple(against))
