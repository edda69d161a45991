"""The picturebook as three data sets."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from zeroseg.evaluation.dataset import Sample
from zeroseg.picturebook import ALL_NOUNS, STUFF_NAMES, VOC_NOUNS, draw_scene, nouns_named
from zeroseg.vocabulary import BACKGROUND, TEMPLATES, Vocabulary

KEPT_SCENES = 1024  # students are measured on the same ones, again and again


_drawn = lru_cache(maxsize=KEPT_SCENES)(draw_scene)


class PicturebookDataset:
    """Scenes of a split with the masks of one of the three vocabularies (see `picturebook.vocabularies`).

    Scenes of "voc" hold its twenty nouns only; those of "context" and "coco" hold all. The background words of
    "voc" and "coco" are the names of the picturebook's stuff, as SCLIP's protocol has words for VOC's background.
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
        self._split, self._numbers = split, range(first, first + size)

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[Sample]:
        return map(self.sample, range(len(self)))

    def sample(self, number: int) -> Sample:
        """The scene of a number from 0, with its truth."""
        scene = _drawn(self._split, self._numbers[number], self._nouns)
        truth = scene.class_map(self.classes, missing=0)
        return Sample(f"{self._split}-{self._numbers[number]:05d}", scene.image, truth)
