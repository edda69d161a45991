"""Where the background begins: the threshold of a background rule, swept over true masks, or calibrated without any.

Letters: N number of leads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int64

from zeroseg.errors import ConfigError
from zeroseg.evaluation.benchmark import class_ids, encode_sample, read_out_for, suited
from zeroseg.evaluation.dataset import Dataset
from zeroseg.evaluation.metrics import confusion_matrix, mean_iou
from zeroseg.images import ImageSource
from zeroseg.segmenter import Segmenter
from zeroseg.student.config import Background
from zeroseg.vocabulary import Vocabulary

MARGINS = tuple(round(-6.0 + 0.5 * k, 1) for k in range(85))  # cosine x 100: -6 .. 36
EVERY = 4  # margin is tried at first
FINE_STEPS = (0.0, 1.0, 2.0)  # from the best margin without refinement, when it is tuned again with it
SHARES = tuple(round(0.025 * k, 3) for k in range(1, 40))  # of a probability: .025 .. .975
BINS = 256  # of the histogram that is parted in two

THRESHOLDS: dict[Background, tuple[str, tuple[float, ...]]] = {
    "margin": ("margin", MARGINS),
    "product": ("product_threshold", SHARES),
    "softmax": ("threshold", SHARES),
    "sigmoid": ("sigmoid_threshold", SHARES),
    "none": ("margin", MARGINS),
}
"""What a rule's threshold is called in `ReadOut`, and the values to try. Under "none" the margin is that of words for
stuff over things."""


@dataclass(frozen=True)
class Sweep:
    """mIoU (0..1) at each value of a rule's threshold, on one data set."""

    threshold: str
    values: tuple[float, ...]
    mious: tuple[float, ...]

    @property
    def best(self) -> float:
        """The value of the highest mIoU."""
        return self.values[int(np.argmax(self.mious))]


def sweep(
    segmenter: Segmenter,
    dataset: Dataset,
    values: Sequence[float] = (),
    progress: Callable[[int], None] = lambda _: None,
    vocabulary: Vocabulary | None = None,
) -> Sweep:
    """Try the threshold of the segmenter's background rule on true masks; every image is encoded once.

    As in `evaluate`, a data set without background is read without one: then it is the lead of stuff over things.
    `values`: those of `THRESHOLDS` by default. `progress` hears of every image done. `vocabulary`: other words for the
    same classes than the data set's own.
    """
    segmenter = suited(segmenter)
    read_out = read_out_for(segmenter, dataset)
    name, usual = THRESHOLDS[read_out.background]
    values = tuple(values or usual)
    count = len(dataset.classes)
    read_outs = [replace(read_out, **{name: value}) for value in values]
    totals: Int64[np.ndarray, "T C C"] = np.zeros((len(values), count, count), np.int64)
    for sample in dataset:
        encoded = encode_sample(segmenter, sample)
        for total, tried in zip(totals, read_outs, strict=True):
            named = segmenter.name(encoded, vocabulary or dataset.vocabulary, tried)
            total += confusion_matrix(sample.truth, class_ids(named, dataset), count)
        progress(1)
    return Sweep(name, values, tuple(mean_iou(total) for total in totals))


def sweep_finely(
    segmenter: Segmenter,
    dataset: Dataset,
    values: Sequence[float] = (),
    progress: Callable[[int], None] = lambda _: None,
    vocabulary: Vocabulary | None = None,
) -> Sweep:
    """The same in two rounds: every fourth value, then those round the best. `progress` hears of every image twice."""
    values = tuple(values or THRESHOLDS[read_out_for(segmenter, dataset).background][1])
    coarse = sweep(segmenter, dataset, values[::EVERY], progress, vocabulary)
    middle = values.index(coarse.best)
    near = [value for value in values[max(0, middle - EVERY + 1) : middle + EVERY] if value != coarse.best]
    fine = sweep(segmenter, dataset, near, progress, vocabulary) if near else replace(coarse, values=(), mious=())
    tried = sorted(zip(coarse.values + fine.values, coarse.mious + fine.mious, strict=True))
    return Sweep(coarse.threshold, tuple(value for value, _ in tried), tuple(miou for _, miou in tried))


def tune_margin(
    segmenter: Segmenter, dataset: Dataset, margins: Sequence[float] = MARGINS, vocabulary: Vocabulary | None = None
) -> Segmenter:
    """The segmenter with the margin that gives the best mIoU on `dataset`: validation scenes, never held-out ones.

    Where the data set has no background, it is the margin that its words for stuff have over the things. Tuned without
    refinement, which is quick and hardly moves the best one; with it, two on either side are tried in the end.
    `vocabulary`: other words for the same classes than the data set's own.
    """
    rule: Background = "margin" if dataset.has_background else "none"
    refinement = segmenter.read_out.refinement
    plain = segmenter.reading(background=rule, refinement=0)
    best = sweep_finely(plain, dataset, margins, vocabulary=vocabulary).best
    if refinement:
        near = [margin for margin in margins if abs(margin - best) in FINE_STEPS]
        best = sweep(plain.reading(refinement=refinement), dataset, near, vocabulary=vocabulary).best
    return plain.reading(margin=best, refinement=refinement)


def calibrate_margin(segmenter: Segmenter, images: Iterable[ImageSource], vocabulary: Vocabulary) -> Segmenter:
    """The segmenter with a margin that needs no label: it parts the leads on unlabelled images in two (`otsu`).

    Where things are, the best label leads the best background word by much; where there are none, it falls behind.
    Raises `ConfigError` for a vocabulary without background words, or no images.
    """
    if not vocabulary.background:
        raise ConfigError("a margin can only be calibrated over background words: name some.")
    found = [segmenter.leads(segmenter.encode(image), vocabulary) for image in images]
    if not found:
        raise ConfigError("a margin can only be calibrated on images: name at least one.")
    return segmenter.reading(background="margin", margin=round(otsu(np.concatenate(found)), 2))


def otsu(values: Float[np.ndarray, " N"]) -> float:
    """The value that parts others in two groups that are as much alike within as can be (Otsu 1979)."""
    counts, edges = np.histogram(values, BINS)
    middles = (edges[1:] + edges[:-1]) / 2
    below, sums = counts.cumsum(), (counts * middles).cumsum()
    above = below[-1] - below
    apart = (sums[-1] * below / below[-1] - sums) ** 2 / np.maximum(below * above, 1)
    best = np.flatnonzero(apart == apart.max())
    return float(edges[1:][best].mean())  # between two clear groups all values are equally good: the middle one
