"""The benchmark: a segmenter on a data set.

Letters: C class, R region, N image, H W pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Int, Int64, UInt16
from PIL import Image

from zeroseg.baselines import BackgroundOnly, TrueRegions
from zeroseg.encoding import Encoded
from zeroseg.errors import DatasetError
from zeroseg.evaluation.dataset import Dataset, Sample
from zeroseg.evaluation.metrics import bootstrap_interval, class_counts, confusion_matrix, iou_per_class, mean_iou
from zeroseg.evaluation.partial import Partial
from zeroseg.images import resize, to_tensor
from zeroseg.rules import Margin
from zeroseg.segmentation import Segmentation
from zeroseg.segmenter import Segmenter
from zeroseg.student.config import ReadOut
from zeroseg.vocabulary import Vocabulary


@dataclass(frozen=True, eq=False)
class Example:
    """An image of a data set with its prediction and its mIoU (0..1, over the classes that occur in it)."""

    name: str
    image: Image.Image
    truth: UInt16[np.ndarray, "H W"]
    predicted: UInt16[np.ndarray, "H W"]
    miou: float


@dataclass(frozen=True)
class Result:
    """The result of an evaluation: the confusion matrix (rows: truth) and the figures from it."""

    dataset: str
    classes: tuple[str, ...]
    images: int
    confusion: Int64[np.ndarray, "C C"]
    upper_bound: Int64[np.ndarray, "C C"]  # confusion matrix if every region had its majority class
    read_out: ReadOut
    class_counts: Int64[np.ndarray, "N 3 C"]  # of each image (`metrics.class_counts`)
    worst: tuple[Example, ...] = ()  # the lowest first
    best: tuple[Example, ...] = ()  # the highest first

    @property
    def miou(self) -> float:
        """Mean IoU over the classes, 0..1."""
        return mean_iou(self.confusion)

    @property
    def upper_bound_miou(self) -> float:
        """mIoU if every region (patch, segment or crop) had its majority class, 0..1: the quality of regions alone.

        It is not a strict bound: classes that are the majority in few regions may get a higher IoU.
        """
        return mean_iou(self.upper_bound)

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % confidence interval of the mIoU, 0..1, over images of the same kind (`bootstrap_interval`)."""
        return bootstrap_interval(self.class_counts)

    def summary(self) -> dict[str, object]:
        """As plain JSON values."""
        ious = iou_per_class(self.confusion)
        return {
            "dataset": self.dataset,
            "images": self.images,
            "read_out": self.read_out.to_json(),
            "miou": round(self.miou, 4),
            "miou_interval": [round(bound, 4) for bound in self.interval],
            "upper_bound_miou": round(self.upper_bound_miou, 4),
            "iou": {n: None if np.isnan(v) else round(float(v), 4) for n, v in zip(self.classes, ious, strict=True)},
            "confusion": self.confusion.tolist(),
        }


def evaluate(
    segmenter: Segmenter,
    dataset: Dataset,
    progress: Callable[[int], None] = lambda _: None,
    vocabulary: Vocabulary | None = None,
    examples: int = 0,
    partial: Path | None = None,
) -> Result:
    """mIoU of a segmenter on a data set. `progress` is called with the number of images done, 1 after each.

    For a data set without background the read-out has none, whatever it says. `vocabulary`: replaces the data set's own
    words for the same classes. `examples`: how many of the best and of the worst images are kept. `partial`: a file in
    which the sums are kept; if it exists, the measurement continues from it. Raises `DatasetError` if all pixels are
    ignored, and for images or masks that cannot be read.
    """
    segmenter = with_fixed_read_out(segmenter)
    segmenter = segmenter.reading(**vars(read_out_for(segmenter, dataset)))
    count = len(dataset.classes)
    with Partial.kept_in(partial, count) as done:
        progress(done.sums.images)
        for number in range(done.sums.images, len(dataset)):
            sample = dataset.sample(number)
            found, upper_bound, _ = _compared(segmenter, dataset, sample, vocabulary)
            done.add(found, upper_bound, class_counts(found))
            progress(1)
        if not done.sums.confusion.any():
            raise DatasetError(
                f"{dataset.name}: every pixel of the {len(dataset)} masks is ignored, so nothing is measured."
            )
        worst, best = _extremes(done.mious, examples)
        shown = {number: _example(segmenter, dataset, number, vocabulary) for number in (*worst, *best)}
    return Result(
        dataset.name, dataset.classes, len(dataset), done.sums.confusion, done.sums.upper_bound,
        segmenter.read_out,
        np.stack(done.class_counts), tuple(shown[n] for n in worst), tuple(shown[n] for n in best),
    )  # fmt: skip


def _compared(
    segmenter: Segmenter, dataset: Dataset, sample: Sample, vocabulary: Vocabulary | None
) -> tuple[Int64[np.ndarray, "C C"], Int64[np.ndarray, "C C"], UInt16[np.ndarray, "H W"]]:
    """The confusion matrix of an image, that of its regions' majority classes, and the predicted class ids."""
    count = len(dataset.classes)
    encoded = encode_sample(segmenter, sample)
    predicted = class_ids(segmenter.name(encoded, vocabulary or dataset.vocabulary), dataset)
    regions = encoded.count(segmenter.read_out.naming)
    labels = _majority(sample.truth, segmenter.region_map(encoded), regions, count)
    drawn = segmenter.paint(encoded, labels, count)
    return confusion_matrix(sample.truth, predicted, count), confusion_matrix(sample.truth, drawn, count), predicted


def _extremes(mious: list[float], examples: int) -> tuple[list[int], list[int]]:
    """The numbers of the worst images and of the best ones, no image twice; images whose pixels are all ignored (NaN)
    are left out."""
    ranked = sorted((n for n, miou in enumerate(mious) if not np.isnan(miou)), key=lambda n: mious[n])
    best = min(examples, (len(ranked) + 1) // 2)
    worst = min(examples, len(ranked) - best)
    return ranked[:worst], ranked[len(ranked) - best :][::-1]


def _example(segmenter: Segmenter, dataset: Dataset, number: int, vocabulary: Vocabulary | None) -> Example:
    sample = dataset.sample(number)
    found, _, predicted = _compared(segmenter, dataset, sample, vocabulary)
    return Example(sample.name, sample.image, sample.truth, predicted, mean_iou(found))


def encode_sample(segmenter: Segmenter, sample: Sample) -> Encoded:
    """The regions that the segmenter's encoder finds in a sample. `TrueRegions` takes them from the truth."""
    encoder = segmenter.encoder
    if isinstance(encoder, TrueRegions):
        size = (sample.image.height, sample.image.width)
        return encoder.encode_true(resize(to_tensor(sample.image), size)[None], sample.truth, size)
    return segmenter.encode(sample.image)


def read_out_for(segmenter: Segmenter, dataset: Dataset) -> ReadOut:
    """The segmenter's own read-out; for a data set without background, the same without one."""
    own = segmenter.read_out
    return own if dataset.has_background else replace(own, background=own.background.without_background())


def with_fixed_read_out(segmenter: Segmenter) -> Segmenter:
    """The segmenter itself; for the two references, with the read-out that they need, whatever a protocol says.

    True regions are named by segment and not refined. `BackgroundOnly` needs the margin rule.
    """
    if isinstance(segmenter.encoder, TrueRegions):
        return segmenter.reading(naming="segments", refinement=0)
    if isinstance(segmenter.encoder, BackgroundOnly):
        return segmenter.reading(background=Margin(), refinement=0)
    return segmenter


def class_ids(named: Segmentation, dataset: Dataset) -> UInt16[np.ndarray, "H W"]:
    """Class ids of a segmentation as the data set counts them: if it has a background, that is 0."""
    return named.class_map + np.uint16(dataset.has_background and not named.has_background)


def _majority(
    truth: UInt16[np.ndarray, "H W"], region_map: Int[np.ndarray, "H W"], regions: int, classes: int
) -> Int[np.ndarray, " R"]:
    """The most frequent true class of each region; ignored pixels do not count."""
    votes = np.zeros((regions, classes), np.int64)
    counted = truth < classes
    np.add.at(votes, (region_map[counted], truth[counted]), 1)
    return votes.argmax(axis=1)
