"""The tables of the paper: their rows here, and the paper's figures to compare with ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import hypot
from statistics import mean, stdev

from zeroseg.experiments import Column, Experiment, Scenes
from zeroseg.reproduce.costs import TeacherSizes

FIGURES = "figures"  # their name on the command line


@dataclass(frozen=True)
class PaperTable:
    """A table of the paper: names of rows in its order, then further rows of ours.

    `paper`: the paper's mIoU (per cent, VOC) of its rows; it is compared with our `column`. `also`: the paper's figures
    for other columns of ours, Context and COCO. `speed_up`: the paper's speed-up in training over its first row, per
    cent; if it is given, ours is shown, too.
    """

    name: str
    title: str
    rows: tuple[str, ...]
    paper: Mapping[str, float]
    columns: tuple[Column, ...]
    column: Column
    also: Mapping[Column, Mapping[str, float]] = field(default_factory=dict[Column, Mapping[str, float]])
    speed_up: Mapping[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True)
class WordsTable:
    """Table 8: the IoU of single words (sub-words, compound words) on a data set; `paper`: their mean, per cent.

    `by_word`: the paper's figure for each word, if the words are the paper's.
    """

    name: str
    title: str
    rows: tuple[str, ...]
    dataset: str
    words: tuple[str, ...]
    paper: Mapping[str, float]
    by_word: Mapping[str, Sequence[float]] = field(default_factory=dict[str, Sequence[float]])


V100_HOURS = {"ours": 84.0, "captions": 768.0}  # table 7
SPEED_UPS = {20: 15, 30: 19, 40: 26, 50: 32, 60: 36, 70: 39, 80: 43}  # table 5, per cent over no masking

CAPTIONED = (37.3, 19.7, 17.8)  # ZeroSeg on the images of CC3M and COCO
GROUPVIT = (28.1, 14.8, 12.9)  # on the same with their captions
DEIT = (53.0, 35.9, None)  # fine-tuned on masks
IMAGENET_1K = (40.8, 20.4, 20.2)
WITH_CC12M = (42.9, 21.8, 22.1)
"""The paper's mIoU on VOC, Context and COCO (tables 1 and 6)."""


def on(place: int, figures: Mapping[str, Sequence[float | None]]) -> dict[str, float]:
    """The paper's figures on VOC (0), Context (1) or COCO (2), of the rows that have one."""
    return {row: value for row, values in figures.items() if (value := values[place]) is not None}


@dataclass(frozen=True)
class Figure:
    """A figure of the paper on scenes: rows whose students are shown side by side, and their labels.

    `nouns`: the nouns of the scenes. Without background every pixel has a label.
    """

    name: str
    title: str
    rows: tuple[str, ...]
    labels: tuple[str, ...]
    nouns: tuple[str, ...]
    has_background: bool = True


@dataclass(frozen=True)
class StudyPlan:
    """The human study (table 2): the two rows that people compare, and their labels.

    `questions`: the number of images; the paper's by default.
    """

    name: str
    rows: tuple[str, str]
    labels: tuple[str, ...]
    questions: int = 200


@dataclass(frozen=True)
class CostTable:
    """Table 7, the cost of training: its rows, and the paper's hours on a V100."""

    name: str
    rows: tuple[str, ...]
    paper_hours: Mapping[str, float]


@dataclass(frozen=True)
class Scale:
    """A scale of the tables: all rows as one experiment, so that a row of several tables is run once.

    `page`: the name of its page. `images`: the number of images that it needs, and `command` makes them and their
    cache. `teacher`: the teacher's sizes. `tflops`: the expected speed of the machine, 10^12 operations a second.
    `data`: the required data, in words. `measured_on`: the number of images on which students are measured. `figures`
    and `study` are on scenes. `beyond`: rows that need more images than `images`.
    """

    name: str
    rows: Experiment
    tables: tuple[PaperTable, ...]
    words: WordsTable
    costs: CostTable
    page: str
    images: int
    command: str
    teacher: TeacherSizes
    tflops: float
    data: tuple[str, ...]
    measured_on: Scenes = field(default_factory=Scenes)
    figures: tuple[Figure, ...] = ()
    study: StudyPlan | None = None
    beyond: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names on the command line: tables 1 to 8, and "figures" if there are some."""
        return tuple(self._rows_by_name)

    @property
    def shown(self) -> tuple[str, ...]:
        """The names that need trained students of the first seed, not only records: study and figures."""
        return tuple(name for name in ("" if self.study is None else self.study.name, FIGURES) if name in self.names)

    def rows_of(self, name: str) -> tuple[str, ...]:
        """The rows that a table (or "figures") needs."""
        return self._rows_by_name[name]

    @property
    def _rows_by_name(self) -> dict[str, tuple[str, ...]]:
        tables = {table.name: table.rows for table in (*self.tables, self.words, self.costs)}
        if self.study is not None:
            tables[self.study.name] = self.study.rows
        figures = dict.fromkeys(row for figure in self.figures for row in figure.rows)
        return dict(sorted(tables.items())) | ({FIGURES: tuple(figures)} if figures else {})


@dataclass(frozen=True)
class Agreement:
    """The agreement of two orders of the same rows, in pairs."""

    agree: int
    tied: int  # ours differ by less than their standard deviations
    against: tuple[tuple[str, str], ...]  # the paper has the first above the second, ours below

    @property
    def pairs(self) -> int:
        """The number of all pairs."""
        return self.agree + self.tied + len(self.against)


def compare(paper: Mapping[str, float], ours: Mapping[str, list[float]]) -> Agreement:
    """Compare the order of the rows that are in both. `ours` has the figures of several seeds.

    Two rows of ours are tied if their means differ by at most the sum of their standard deviations.
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
