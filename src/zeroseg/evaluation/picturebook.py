"""The picturebook as three data sets."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from copy import copy
from functools import lru_cache

import numpy as np

from zeroseg.errors import DatasetError
from zeroseg.evaluation.dataset import Findings, Sample
from zeroseg.picturebook import ALL_NOUNS, STUFF_NAMES, VOC_NOUNS, draw_scene, nouns_named
from zeroseg.vocabulary import BACKGROUND, TEMPLATES, Vocabulary

KEPT_SCENES = 1024  # scenes in memory: students are measured on the same ones many times


_drawn = lru_cache(maxsize=KEPT_SCENES)(draw_scene)


class PicturebookDataset:
    """Scenes of a split with the masks of one of the three vocabularies (see `picturebook.vocabularies`).

    Scenes of "voc" show only its twenty nouns; those of "context" and "coco" show all. The background words of "voc"
    and "coco" are the names of the picturebook's stuff, like the words for VOC's background in SCLIP's protocol.
    """

    def __init__(self, vocabulary: str, split: str = "held-out", size: int = 300, first: int = 0) -> None:
        self.name = f"picturebook-{vocabulary}"
        nouns = VOC_NOUNS if vocabulary == "voc" else ALL_NOUNS
        self.has_background = vocabulary != "context"
        labels = nouns if self.has_background else nouns + STUFF_NAMES
        self.classes = (BACKGROUND, *labels) if self.has_background else labels
        background = STUFF_NAMES if self.has_background else ()
        self.vocabulary = Vocabulary(labels, background=background, templates=TEMPLATES)
        self._nouns = nouns_named(nouns)
        self._split = split
        self._numbers: Sequence[int] = range(first, first + size)

    def check(self, progress: Callable[[int], None] = lambda _: None) -> Findings:
        """Drawn scenes have no problems."""
        progress(len(self))
        return Findings()

    def without(self, names: Collection[str]) -> PicturebookDataset:
        """The same data set without the scenes with these names. Raises `DatasetError` if none is left."""
        rest = copy(self)
        rest._numbers = [number for number in self._numbers if self._called(number) not in names]
        if not rest._numbers:
            raise DatasetError(f"{self.name}: no scene is left without the {len(self)} that are left out.")
        return rest

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[Sample]:
        return map(self.sample, range(len(self)))

    def sample(self, number: int) -> Sample:
        """The scene with a number, 0 .. len - 1, and its truth."""
        scene = _drawn(self._split, self._numbers[number], self._nouns)
        truth = scene.class_map(self.classes, missing=0).astype(np.uint16)
        return Sample(self._called(self._numbers[number]), scene.image, truth)

    def signature(self) -> str:
        """Vocabulary, split and numbers: they decide how scenes look, on every machine."""
        return f"{self.name} {self._split} {self._numbers}"

    def _called(self, number: int) -> str:
        return f"{self._split}-{number:05d}"
