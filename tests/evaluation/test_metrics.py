"""One confusion matrix for everything: against scikit-learn's, and figures by hand."""

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from zeroseg.evaluation import confusion_matrix, iou_per_class, mean_iou
from zeroseg.evaluation.metrics import IGNORE


@settings(max_examples=60, deadline=None)
@given(
    classes=st.integers(2, 6),
    shape=st.tuples(st.integers(1, 8), st.integers(1, 8)),
    ignored=st.floats(0, 1),
    seed=st.integers(0, 10_000),
)
def test_confusion_matrix_is_scikit_learns(classes: int, shape: tuple[int, int], ignored: float, seed: int):
    random = np.random.default_rng(seed)
    truth, predicted = (random.integers(0, classes, shape).astype(np.uint8) for _ in range(2))
    truth[random.random(shape) < ignored] = IGNORE
    ours = confusion_matrix(truth, predicted.astype(np.uint16), classes)
    counted = truth != IGNORE
    if counted.any():
        labels = list(range(classes))
        expected = sklearn.metrics.confusion_matrix(truth[counted], predicted[counted], labels=labels)
    else:
        expected = np.zeros((classes, classes))
    np.testing.assert_array_equal(ours, expected)
    assert ours.dtype == np.int64


def test_rows_are_the_truth():
    ours = confusion_matrix(np.array([[0, 0, 0, 1]]), np.array([[1, 1, 0, 1]]), 2)
    assert ours.tolist() == [[1, 2], [0, 1]]


def test_prediction_on_ignored_pixels_may_be_anything():
    truth, predicted = np.array([[255, 0]], np.uint8), np.array([[999, 0]], np.uint16)
    assert confusion_matrix(truth, predicted, 1).tolist() == [[1]]


def test_other_value_can_be_ignored():
    ours = confusion_matrix(np.array([[0, 1]]), np.array([[0, 0]]), 2, ignore=1)
    assert ours.tolist() == [[1, 0], [0, 0]]


def test_what_does_not_fit_is_a_mistake_of_the_programmer():
    with pytest.raises((ValueError, TypeError)):  # the shape check of the tests comes first
        confusion_matrix(np.zeros((2, 2), int), np.zeros((2, 3), int), 2)
    for truth, predicted in (([[2]], [[0]]), ([[0]], [[2]]), ([[-1]], [[0]]), ([[0]], [[-1]])):
        with pytest.raises(ValueError, match=r"0 \.\. 1"):
            confusion_matrix(np.array(truth), np.array(predicted), 2)


def test_iou_by_hand():
    """Class 0: 4 hits, union 4 + 2 + 1. Class 1: 3 hits, union 3 + 1 + 2. Class 2 occurs nowhere."""
    confusion = np.array([[4, 2, 0], [1, 3, 0], [0, 0, 0]])
    ious = iou_per_class(confusion)
    assert ious[:2].tolist() == pytest.approx([4 / 7, 3 / 6])
    assert np.isnan(ious[2])
    assert mean_iou(confusion) == pytest.approx((4 / 7 + 3 / 6) / 2)


def test_class_that_is_predicted_but_never_there_counts_as_zero():
    confusion = np.array([[4, 0, 1], [0, 5, 0], [0, 0, 0]])
    assert iou_per_class(confusion).tolist() == pytest.approx([4 / 5, 1, 0])
    assert mean_iou(confusion) == pytest.approx((4 / 5 + 1 + 0) / 3)


def test_one_matrix_over_a_data_set_is_not_the_mean_over_pictures():
    """Small objects in one picture must not weigh as much as large ones in another."""
    large = confusion_matrix(np.zeros((10, 10), int), np.zeros((10, 10), int), 2)
    small = confusion_matrix(np.zeros((1, 2), int), np.array([[1, 1]]), 2)
    assert iou_per_class(large + small)[0] == pytest.approx(100 / 102)
    assert iou_per_class(large + small).dtype == np.float64


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 5), st.integers(0, 1000))
def test_perfect_prediction_is_one_and_figures_stay_in_range(classes: int, seed: int):
    random = np.random.default_rng(seed)
    truth, other = (random.integers(0, classes, (6, 6)) for _ in range(2))
    assert mean_iou(confusion_matrix(truth, truth, classes)) == 1.0
    ious = iou_per_class(confusion_matrix(truth, other, classes))
    assert ((ious >= 0) & (ious <= 1) | np.isnan(ious)).all()
