"""How well absent words are known to be absent: AUROC of presence, false areas, and mIoU with other vocabularies.

Letters: C class, N image.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int64

from zeroseg.evaluation.dataset import Dataset, Sample
from zeroseg.evaluation.metrics import confusion_matrix, mean_iou
from zeroseg.presence import judge
from zeroseg.segmentation import IGNORE, Segmentation
from zeroseg.segmenter import Segmenter
from zeroseg.vocabulary import Vocabulary

THERE = 0.005  # fraction of a picture: a class with as many pixels is in it; an area of a label as large counts
NOT_THERE = 0.0005  # a class with fewer is not in it; in between it is left out of counts
OWN, PRESENT, MANY = "the data set's", "present labels only", "with other words"


@dataclass
class Counts:
    """What the masks of many pictures with one vocabulary were like, with all labels kept, or without absent ones.

    `false_areas`: labels that are not in a picture and have `THERE` of it, all pictures together; `of_others`: those of
    the words that are no class of the data set, whether they are right is unknown; `missed`: classes that are in a
    picture and have no pixel.
    """

    confusion: Int64[np.ndarray, "C C"]
    false_areas: int = 0
    of_others: int = 0
    missed: int = 0


@dataclass(frozen=True)
class AbsentWords:
    """The figures: `auroc` of presence over all pairs of picture and class, and a row for each vocabulary."""

    dataset: str
    images: int
    auroc: float
    rows: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict[str, Any])

    def as_json(self) -> dict[str, Any]:
        """All figures as plain values."""
        return asdict(self)


def measure_absent_words(
    segmenter: Segmenter, dataset: Dataset, more: Sequence[str], progress: Callable[[int], None] = lambda _: None
) -> AbsentWords:
    """Segment each picture with three vocabularies, with all labels kept and without absent ones.

    The vocabularies are the data set's own, those of its labels that are in the picture, and its own with the words
    `more`, which must be others. A pixel of none of the classes counts as background, or as a class of its own where
    the data set has no background.
    """
    own = dataset.vocabulary
    first = int(dataset.has_background)
    many = replace(own, labels=(*own.labels, *more), aliases=(*own.aliases, *[()] * len(more)) if own.aliases else ())
    size = len(own.labels) + 1
    counts = {
        name: {kind: Counts(np.zeros((size, size), np.int64)) for kind in ("keep", "drop")}
        for name in (OWN, PRESENT, MANY)
    }
    sure, there = list[Float[np.ndarray, " C"]](), list[Bool[np.ndarray, " C"]]()
    known = list[Bool[np.ndarray, " C"]]()
    for sample in dataset:
        fractions = _fractions(sample, len(own.labels), first)
        truth = np.where(sample.truth == IGNORE, IGNORE, sample.truth.astype(np.int64) + 1 - first)
        encoded = segmenter.encode(sample.image)
        for name, vocabulary in ((OWN, own), (PRESENT, _only(own, fractions >= NOT_THERE)), (MANY, many)):
            if vocabulary is not None:
                judged = judge(segmenter, encoded, vocabulary)
                kept = segmenter.name(encoded, vocabulary)
                dropped = segmenter.name(encoded, vocabulary, kept=~judged.doubtful)
                places = [own.labels.index(label) + 1 if label in own.labels else 0 for label in vocabulary.labels]
                for kind, masks in (("keep", kept), ("drop", dropped)):
                    _count(counts[name][kind], masks, places, truth, fractions)
                if name == OWN:
                    sure.append(judged.sure)
                    there.append(fractions >= THERE)
                    known.append((fractions >= THERE) | (fractions < NOT_THERE))
        progress(1)
    use = np.concatenate(known)
    auroc = area_under_roc(np.concatenate(sure)[use], np.concatenate(there)[use])
    images = len(sure)
    rows = {
        name: {kind: _figures(one, images, dataset.has_background) for kind, one in kinds.items()}
        for name, kinds in counts.items()
    }
    return AbsentWords(dataset.name, images, round(auroc, 4), rows)


def area_under_roc(scores: Float[np.ndarray, " N"], positive: Bool[np.ndarray, " N"]) -> float:
    """The probability that a positive has a higher score than a negative; equal scores count half (Mann-Whitney)."""
    _, inverse, count = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(count) - (count - 1) / 2)[inverse]
    positives, negatives = int(positive.sum()), int((~positive).sum())
    return float((ranks[positive].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def _fractions(sample: Sample, classes: int, first: int) -> Float[np.ndarray, " C"]:
    """The fraction of a picture of each class but the background."""
    numbers = sample.truth[sample.truth != IGNORE]
    return np.bincount(numbers, minlength=classes + first)[first:] / sample.truth.size


def _only(vocabulary: Vocabulary, chosen: Bool[np.ndarray, " C"]) -> Vocabulary | None:
    """The chosen labels; None if there are none."""
    if not chosen.any():
        return None
    places = np.flatnonzero(chosen)
    aliases = tuple(vocabulary.aliases[k] for k in places) if vocabulary.aliases else ()
    return replace(vocabulary, labels=tuple(vocabulary.labels[k] for k in places), aliases=aliases)


def _count(
    counts: Counts,
    found: Segmentation,
    places: Sequence[int],
    truth: Int64[np.ndarray, "H W"],
    fractions: Float[np.ndarray, " C"],
) -> None:
    """Add a picture. `places`: the row of each label in the confusion matrix, 0 for words that are no class."""
    rows = np.array(([0] if found.has_background else []) + list(places))
    counts.confusion += confusion_matrix(truth, rows[found.class_map], len(counts.confusion))
    areas = found.fractions[int(found.has_background) :]
    of_class = np.zeros(len(fractions))
    for place, area in zip(places, areas, strict=True):
        if place:
            of_class[place - 1] = area
        else:
            counts.of_others += bool(area >= THERE)
    counts.false_areas += int(((of_class >= THERE) & (fractions < NOT_THERE)).sum())
    counts.missed += int(((of_class == 0) & (fractions >= THERE)).sum())


def _figures(counts: Counts, images: int, has_background: bool) -> dict[str, float]:
    """mIoU, and false areas and missed classes a picture. Without a background its row is no class."""
    confusion = counts.confusion
    if has_background:
        miou = mean_iou(confusion)
    else:
        hits, true, said = np.diag(confusion)[1:], confusion.sum(axis=1)[1:], confusion.sum(axis=0)[1:]
        union = true + said - hits
        miou = float((hits[union > 0] / union[union > 0]).mean())
    each = {"false_areas": counts.false_areas, "of_others": counts.of_others, "missed": counts.missed}
    return {"miou": round(miou, 4), **{name: round(value / images, 3) for name, value in each.items()}}
