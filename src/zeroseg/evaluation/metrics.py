"""One int64 confusion matrix over a whole data set, and the figures that come from it.

Letters: H W pixels, C class, N image, B resample.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64, Integer

IGNORE = 255  # pixels of the truth that count for nothing


def confusion_matrix(
    truth: Integer[np.ndarray, "H W"], predicted: Integer[np.ndarray, "H W"], classes: int, ignore: int = IGNORE
) -> Int64[np.ndarray, "C C"]:
    """Pixels by (true class, predicted class); pixels whose truth is `ignore` are left out.

    Raises `ValueError` for shapes that differ, or for class ids out of range.
    """
    if truth.shape != predicted.shape:
        raise ValueError(f"the truth is {truth.shape}, the prediction {predicted.shape}: they must be of one size")
    counted = truth != ignore
    rows, columns = truth[counted].astype(np.int64), predicted[counted].astype(np.int64)
    if (rows.size and max(rows.max(), columns.max()) >= classes) or (rows.size and min(rows.min(), columns.min()) < 0):
        raise ValueError(f"class ids must lie in 0 .. {classes - 1}")
    return np.bincount(rows * classes + columns, minlength=classes * classes).reshape(classes, classes)


def iou_per_class(confusion: Int64[np.ndarray, "C C"]) -> Float64[np.ndarray, " C"]:
    """Intersection over union of every class, 0..1; NaN for a class that is neither there nor predicted."""
    hits = np.diag(confusion).astype(np.float64)
    union = confusion.sum(axis=0) + confusion.sum(axis=1) - np.diag(confusion)
    return np.where(union > 0, hits / np.maximum(union, 1), np.nan)


def mean_iou(confusion: Int64[np.ndarray, "C C"]) -> float:
    """mIoU, 0..1: the mean over the classes that are there or predicted."""
    return float(np.nanmean(iou_per_class(confusion)))


def tallies(confusion: Int64[np.ndarray, "C C"]) -> Int64[np.ndarray, "3 C"]:
    """What mIoU needs of a confusion matrix: for every class the pixels that are right, true, and predicted."""
    return np.stack([np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)])


def bootstrap_interval(
    images: Int64[np.ndarray, "N 3 C"], rate: float = 0.95, resamples: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Between which mIoUs (0..1) that of the whole population lies, at `rate`: percentile bootstrap over images.

    `images` are the tallies of each. Raises `ValueError` for no images, or a rate that is not between 0 and 1.
    """
    if not len(images) or not 0 < rate < 1:
        raise ValueError(f"an interval needs images and a rate between 0 and 1, not {len(images)} and {rate}")
    drawn = np.random.default_rng(seed).multinomial(len(images), np.full(len(images), 1 / len(images)), resamples)
    sums = (drawn.astype(np.float64) @ images.reshape(len(images), -1)).reshape(resamples, 3, -1)
    right, true, predicted = sums[:, 0], sums[:, 1], sums[:, 2]
    union = true + predicted - right
    ious = np.where(union > 0, right / np.maximum(union, 1), np.nan)
    tail = 100 * (1 - rate) / 2
    low, high = np.percentile(np.nanmean(ious, axis=1), [tail, 100 - tail])
    return float(low), float(high)
