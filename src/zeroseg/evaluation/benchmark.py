"""Running a segmenter over a data set.

Letters: C class, R region, N image, H W pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int, Int64, UInt16
from PIL import Image

from zeroseg.baselines import Nothing, TrueRegions
from zeroseg.errors import DatasetError
from zeroseg.evaluation.dataset import Dataset, Sample
from zeroseg.evaluation.metrics import bootstrap_interval, confusion_matrix, iou_per_class, mean_iou, tallies
from zeroseg.images import resize, to_tensor
from zeroseg.segmentation import Segmentation
from zeroseg.segmenter import Encoded, Segmenter
from zeroseg.student.config import ReadOut
from zeroseg.vocabulary import Vocabulary


@dataclass(frozen=True, eq=False)
class Example:
    """An image of a data set as it was predicted, with its own mIoU (0..1, over the classes that occur in it)."""

    name: str
    image: Image.Image
    truth: UInt16[np.ndarray, "H W"]
    predicted: UInt16[np.ndarray, "H W"]
    miou: float


@dataclass(frozen=True)
class Result:
    """What an evaluation found: the confusion matrix (rows: truth) and the figures from it."""

    dataset: str
    classes: tuple[str, ...]
    images: int
    confusion: Int64[np.ndarray, "C C"]
    oracle: Int64[np.ndarray, "C C"]  # had every region its majority label, drawn alike: the ceiling
    read_out: ReadOut
    tallies: Int64[np.ndarray, "N 3 C"]  # of each image (`metrics.tallies`)
    worst: tuple[Example, ...] = ()  # the lowest first
    best: tuple[Example, ...] = ()  # the highest first

    @property
    def miou(self) -> float:
        """Mean IoU over the classes, 0..1."""
        return mean_iou(self.confusion)

    @property
    def oracle_miou(self) -> float:
        """mIoU if each region had its majority label, 0..1."""
        return mean_iou(self.oracle)

    @property
    def interval(self) -> tuple[float, float]:
        """Where the mIoU lies, 0..1, with other images of the kind: 95 %, by bootstrap."""
        return bootstrap_interval(self.tallies)

    def summary(self) -> dict[str, object]:
        """As plain JSON values."""
        ious = iou_per_class(self.confusion)
        return {
            "dataset": self.dataset,
            "images": self.images,
            "read_out": vars(self.read_out),
            "miou": round(self.miou, 4),
            "miou_interval": [round(bound, 4) for bound in self.interval],
            "oracle_miou": round(self.oracle_miou, 4),
            "iou": {n: None if np.isnan(v) else round(float(v), 4) for n, v in zip(self.classes, ious, strict=True)},
            "confusion": self.confusion.tolist(),
        }


def evaluate(
    segmenter: Segmenter,
    dataset: Dataset,
    progress: Callable[[int], None] = lambda _: None,
    vocabulary: Vocabulary | None = None,
    examples: int = 0,
) -> Result:
    """mIoU of a segmenter on a data set. `progress` hears of every image done.

    A data set without background is read without one, whatever the read-out says. `vocabulary`: other words for the
    same classes than the data set's own. `examples`: how many of the best and of the worst images are kept.
    Raises `DatasetError` where no pixel counts.
    """
    segmenter = suited(segmenter)
    read_out = read_out_for(segmenter, dataset)
    count = len(dataset.classes)
    confusion, oracle = np.zeros((count, count), np.int64), np.zeros((count, count), np.int64)
    images: list[Int64[np.ndarray, "3 C"]] = []
    kept: list[Example] = []
    for sample in dataset:
        encoded = encode_sample(segmenter, sample)
        predicted = class_ids(segmenter.name(encoded, vocabulary or dataset.vocabulary, read_out), dataset)
        found = confusion_matrix(sample.truth, predicted, count)
        confusion += found
        images.append(tallies(found))
        regions = encoded.count(read_out.naming)
        labels = _majority(sample.truth, segmenter.region_map(encoded), regions, count)
        oracle += confusion_matrix(sample.truth, segmenter.paint(encoded, labels, count), count)
        if examples and found.any():
            kept.append(Example(sample.name, sample.image, sample.truth, predicted, mean_iou(found)))
            kept.sort(key=lambda example: example.miou)
            del kept[examples:-examples]
        progress(1)
    if not confusion.any():
        raise DatasetError(
            f"{dataset.name}: every pixel of the {len(images)} masks is ignored, so nothing is measured."
        )
    best = min(examples, (len(kept) + 1) // 2)  # of few images none is shown twice
    worst = min(examples, len(kept) - best)
    return Result(
        dataset.name, dataset.classes, len(dataset), confusion, oracle, read_out, np.stack(images),
        tuple(kept[:worst]), tuple(reversed(kept[len(kept) - best :])),
    )  # fmt: skip


def encode_sample(segmenter: Segmenter, sample: Sample) -> Encoded:
    """What the segmenter's encoder sees in a sample: the picture, and the truth if it is the oracle."""
    encoder = segmenter.encoder
    if isinstance(encoder, TrueRegions):
        size = (sample.image.height, sample.image.width)
        return encoder.encode_true(resize(to_tensor(sample.image), size)[None], sample.truth, size)
    return segmenter.encode(sample.image)


def read_out_for(segmenter: Segmenter, dataset: Dataset) -> ReadOut:
    """The segmenter's own; for a data set without background the same without one."""
    return segmenter.read_out if dataset.has_background else replace(segmenter.read_out, background="none")


def suited(segmenter: Segmenter) -> Segmenter:
    """The segmenter itself; the ends of the scale in the one read-out that suits them, whatever a protocol says.

    True regions are named as they are, and not refined; background everywhere wins under the margin rule.
    """
    if isinstance(segmenter.encoder, TrueRegions):
        return segmenter.reading(naming="segments", refinement=0)
    if isinstance(segmenter.encoder, Nothing):
        return segmenter.reading(background="margin", margin=0.0, refinement=0)
    return segmenter


def class_ids(named: Segmentation, dataset: Dataset) -> UInt16[np.ndarray, "H W"]:
    """Its classes as the data set counts them: the background is 0, whether the read-out could choose it or not."""
    return named.class_map + np.uint16(dataset.has_background and not named.has_background)


def _majority(
    truth: UInt16[np.ndarray, "H W"], region_map: Int[np.ndarray, "H W"], regions: int, classes: int
) -> Int[np.ndarray, " R"]:
    """The most frequent true class of each region (ignored pixels do not vote)."""
    votes = np.zeros((regions, classes), np.int64)
    counted = truth < classes
    np.add.at(votes, (region_map[counted], truth[counted]), 1)
    return votes.argmax(axis=1)
