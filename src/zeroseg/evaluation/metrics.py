"""Metrics of one int64 confusion matrix over a whole data set.

Letters: H W pixels, C class, N image, B sample of images.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from jaxtyping import Float64, Int64, Integer

from zeroseg.segmentation import IGNORE

MOST_CLASSES = 4_096  # without the background: the confusion matrix of so many takes 134 MB


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
    """Intersection over union of every class, 0..1; NaN for a class that is neither in the truth nor predicted."""
    hits = np.diag(confusion).astype(np.float64)
    union = confusion.sum(axis=0) + confusion.sum(axis=1) - np.diag(confusion)
    return np.where(union > 0, hits / np.maximum(union, 1), np.nan)


def mean_iou(confusion: Int64[np.ndarray, "C C"]) -> float:
    """mIoU, 0..1: the mean over the classes that are in the truth or predicted; NaN if there are none."""
    return float(np.nanmean(iou_per_class(confusion)))


def class_counts(confusion: Int64[np.ndarray, "C C"]) -> Int64[np.ndarray, "3 C"]:
    """The counts that mIoU needs: for every class the pixels that are correct, true, and predicted."""
    return np.stack([np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)])


def bootstrap_interval(
    images: Int64[np.ndarray, "N 3 C"], rate: float = 0.95, resamples: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """A confidence interval of the mIoU (0..1) of the population, with confidence `rate`: a bootstrap over images.

    `images`: the class counts of each image. A sample underestimates the IoU of rare classes, and a resample does it
    again: the centre of the interval is moved by that difference. The interval always contains the mIoU of the sample.
    Its width is that of a normal distribution with the standard deviation of the bootstrap or of the jackknife,
    whichever is larger; the jackknife's is larger if a class is in few images (Efron and Tibshirani 1993, chapters 10
    and 11). Raises `ValueError` for no images, or a rate that is not between 0 and 1.
    """
    count = len(images)
    if not count or not 0 < rate < 1:
        raise ValueError(f"an interval needs images and a rate between 0 and 1, not {count} and {rate}")
    total = images.sum(axis=0)
    known = _ious(total)
    point = float(np.nanmean(known))
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), resamples)
    sums = (drawn.astype(np.float64) @ images.reshape(count, -1)).reshape(resamples, *total.shape)
    found, without_one = _mean_of_known(sums, known), _mean_of_known(total - images, known)
    jackknife = math.sqrt((count - 1) / count * float(((without_one - without_one.mean()) ** 2).sum()))
    half = NormalDist().inv_cdf((1 + rate) / 2) * max(float(found.std()), jackknife)
    middle = 2 * point - float(found.mean())
    return max(0.0, min(middle, point) - half), min(1.0, max(middle, point) + half)


def _mean_of_known(
    counts: Float64[np.ndarray, "B 3 C"] | Int64[np.ndarray, "B 3 C"], known: Float64[np.ndarray, " C"]
) -> Float64[np.ndarray, " B"]:
    """mIoU of every sample; a class that is missing in it gets the IoU that it has in all images (`known`)."""
    ious = _ious(counts)
    return np.nanmean(np.where(np.isnan(ious), known, ious), axis=-1)


def _ious(counts: Float64[np.ndarray, "*B 3 C"] | Int64[np.ndarray, "*B 3 C"]) -> Float64[np.ndarray, "*B C"]:
    """IoU of every class, 0..1; NaN if it is neither in the truth nor predicted."""
    right, true, predicted = np.moveaxis(counts, -2, 0).astype(np.float64)
    union = true + predicted - right
    return np.where(union > 0, right / np.maximum(union, 1), np.nan)
