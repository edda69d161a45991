"""One int64 confusion matrix over a whole data set, and the figures that come from it.

Letters: H W pixels, C class.
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
