"""The threshold of a background rule: swept on true masks, tuned on them, or calibrated without masks.

Letters: N number of leads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int64

from zeroseg.errors import ConfigError
from zeroseg.evaluation.benchmark import class_ids, encode_sample, read_out_for, with_fixed_read_out
from zeroseg.evaluation.dataset import Dataset
from zeroseg.evaluation.metrics import confusion_matrix, mean_iou
from zeroseg.images import ImageSource
from zeroseg.presence import evidence
from zeroseg.rules import MARGINS, Margin, NoBackground
from zeroseg.segmenter import Segmenter
from zeroseg.vocabulary import Vocabulary

EVERY = 4  # the first pass tries every fourth threshold
FINE_STEPS = (0.0, 1.0, 2.0)  # distances from the best margin without refinement, to tune it again with refinement
BINS = 256  # of the histogram in Otsu's method


@dataclass(frozen=True)
class Sweep:
    """mIoU (0..1) at each value of a rule's threshold, on one data set. `threshold`: its name in configs."""

    threshold: str
    values: tuple[float, ...]
    mious: tuple[float, ...]

    @property
    def best(self) -> float:
        """The value with the highest mIoU."""
        return self.values[int(np.argmax(self.mious))]


def sweep(
    segmenter: Segmenter,
    dataset: Dataset,
    values: Sequence[float] = (),
    progress: Callable[[int], None] = lambda _: None,
    vocabulary: Vocabulary | None = None,
) -> Sweep:
    """Try the threshold of the segmenter's background rule on true masks; every image is encoded once.

    As in `evaluate`, a data set without background is read without one: then the threshold is the offset of stuff.
    `values`: by default the rule's candidates. `progress` is called with the number of images done. `vocabulary`
    replaces the data set's own words for the same classes.
    """
    segmenter = with_fixed_read_out(segmenter)
    read_out = read_out_for(segmenter, dataset)
    rule = read_out.background
    values = tuple(values or rule.candidates)
    count = len(dataset.classes)
    read_outs = [replace(read_out, background=rule.at(value)) for value in values]
    totals: Int64[np.ndarray, "T C C"] = np.zeros((len(values), count, count), np.int64)
    for sample in dataset:
        encoded = encode_sample(segmenter, sample)
        for total, tried in zip(totals, read_outs, strict=True):
            named = segmenter.name(encoded, vocabulary or dataset.vocabulary, tried)
            total += confusion_matrix(sample.truth, class_ids(named, dataset), count)
        progress(1)
    return Sweep(rule.saved_as["threshold"], values, tuple(mean_iou(total) for total in totals))


def sweep_finely(
    segmenter: Segmenter,
    dataset: Dataset,
    values: Sequence[float] = (),
    progress: Callable[[int], None] = lambda _: None,
    vocabulary: Vocabulary | None = None,
) -> Sweep:
    """As `sweep`, in two passes: every fourth value, then those near the best. `progress` counts every image twice."""
    values = tuple(values or read_out_for(segmenter, dataset).background.candidates)
    coarse = sweep(segmenter, dataset, values[::EVERY], progress, vocabulary)
    middle = values.index(coarse.best)
    near = [value for value in values[max(0, middle - EVERY + 1) : middle + EVERY] if value != coarse.best]
    fine = sweep(segmenter, dataset, near, progress, vocabulary) if near else replace(coarse, values=(), mious=())
    tried = sorted(zip(coarse.values + fine.values, coarse.mious + fine.mious, strict=True))
    return Sweep(coarse.threshold, tuple(value for value, _ in tried), tuple(miou for _, miou in tried))


def tune_margin(
    segmenter: Segmenter, dataset: Dataset, margins: Sequence[float] = MARGINS, vocabulary: Vocabulary | None = None
) -> Segmenter:
    """The segmenter with the margin that gives the best mIoU on `dataset`. Do not tune on the images to be measured.

    If the data set has no background, the margin is the offset of its words for stuff. It is tuned without refinement,
    which is fast and hardly changes the best value; then, with refinement, two values on each side are tried.
    `vocabulary` replaces the data set's own words for the same classes.
    """
    rule = segmenter.rule(Margin.name) if dataset.has_background else NoBackground()
    refinement = segmenter.read_out.refinement
    plain = segmenter.reading(background=rule, refinement=0)
    best = sweep_finely(plain, dataset, margins, vocabulary=vocabulary).best
    if refinement:
        near = [margin for margin in margins if abs(margin - best) in FINE_STEPS]
        best = sweep(plain.reading(refinement=refinement), dataset, near, vocabulary=vocabulary).best
    return plain.reading(background=rule.at(best), refinement=refinement)


def calibrate_margin(segmenter: Segmenter, images: Iterable[ImageSource], vocabulary: Vocabulary) -> Segmenter:
    """The segmenter with a margin from unlabelled images: it divides their leads over background in two (`otsu`).

    In regions with things the best label scores much higher than the best background word, in others it scores lower.
    So images count in which a label leads by the rule's presence somewhere; all of them, if there is none such.
    Raises `ConfigError` for a vocabulary without background words, or no images.
    """
    rule = segmenter.rule(Margin.name)
    presence = rule.presence if isinstance(rule, Margin) else 0.0
    if not vocabulary.background_words(segmenter.read_out.background_words):
        raise ConfigError("a margin can only be calibrated with background words: name some.")
    found = [segmenter.lead_over_background(segmenter.encode(image), vocabulary) for image in images]
    if not found:
        raise ConfigError("a margin can only be calibrated on images: name at least one.")
    counted = [lead for lead in found if not presence or lead.max() >= presence] or found
    return segmenter.reading(background=rule.at(round(otsu(np.concatenate(counted)), 2)))


def calibrate_presence(
    segmenter: Segmenter, images: Iterable[ImageSource], words: Sequence[str], rate: float
) -> Segmenter:
    """The segmenter with the point above which a label is present (`ReadOut.present_above`), from unlabelled images.

    It is the evidence that a fraction `rate` of the `words` exceeds in an image, in the mean. Take words of all kinds
    that the teacher knows, and for `rate` the fraction of them that an image shows, with some more for those that will
    be found and are not there. Raises `ConfigError` without images or words, or for a rate not between 0 and 1.
    """
    if not words or not 0 < rate < 1:
        raise ConfigError(f"presence is calibrated with words, and a rate between 0 and 1, not {rate:g}.")
    vocabulary = Vocabulary(tuple(words))
    found = [evidence(segmenter, segmenter.encode(image), vocabulary) for image in images]
    if not found:
        raise ConfigError("presence can only be calibrated on images: name at least one.")
    return segmenter.reading(present_above=round(float(np.quantile(np.concatenate(found), 1 - rate)), 2))


def otsu(values: Float[np.ndarray, " N"]) -> float:
    """The value that divides all values into two groups with the smallest variance within groups (Otsu 1979)."""
    counts, edges = np.histogram(values, BINS)
    middles = (edges[1:] + edges[:-1]) / 2
    below, sums = counts.cumsum(), (counts * middles).cumsum()
    above = below[-1] - below
    apart = (sums[-1] * below / below[-1] - sums) ** 2 / np.maximum(below * above, 1)
    best = np.flatnonzero(apart == apart.max())
    return float(edges[1:][best].mean())  # between two separate groups all values are equally good: take the middle one
