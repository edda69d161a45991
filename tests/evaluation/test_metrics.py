"""One confusion matrix for everything: against scikit-learn's, and figures by hand."""

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from zeroseg.evaluation import confusion_matrix, iou_per_class, mean_iou
from zeroseg.evaluation.metrics import bootstrap_interval, class_counts
from zeroseg.segmentation import IGNORE


@settings(max_examples=60, deadline=None)
@given(
    classes=st.integers(2, 6),
    shape=st.tuples(st.integers(1, 8), st.integers(1, 8)),
    ignored=st.floats(0, 1),
    seed=st.integers(0, 10_000),
)
def test_confusion_matrix_is_scikit_learns(classes: int, shape: tuple[int, int], ignored: float, seed: int):
    random = np.random.default_rng(seed)
    truth, predicted = (random.integers(0, classes, shape).astype(np.uint16) for _ in range(2))
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
    truth, predicted = np.array([[IGNORE, 0]], np.uint16), np.array([[999, 0]], np.uint16)
    assert confusion_matrix(truth, predicted, 1).tolist() == [[1]]


def test_other_value_can_be_ignored():
    ours = confusion_matrix(np.array([[0, 1]]), np.array([[0, 0]]), 2, ignore=1)
    assert ours.tolist() == [[1, 0], [0, 0]]


def test_what_does_not_fit_is_a_mistake_of_the_programmer():
    with pytest.raises(TypeError, match=r"(?s)parameter 'predicted'.*\[2,3\]"):  # the tests check shapes
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


# --- the interval -----------------------------------------------------------------------------------


def test_class_counts_give_the_iou_of_their_matrix():
    confusion = np.array([[5, 1, 0], [2, 7, 0], [0, 0, 0]])
    right, true, predicted = class_counts(confusion)
    assert (right.tolist(), true.tolist(), predicted.tolist()) == ([5, 7, 0], [6, 9, 0], [7, 8, 0])


def population(random: np.random.Generator, images: int) -> np.ndarray:
    """Counts of images of three classes, some of them hard, not all classes in all of them."""
    true = random.integers(0, 2, (images, 3)) * random.integers(50, 500, (images, 3))
    share = random.beta(4, 2, (images, 1)) * np.array([0.9, 0.7, 0.8])
    right = (share * true).astype(int)
    predicted = right + (true.mean(axis=1, keepdims=True) * random.beta(2, 8, (images, 3))).astype(int)
    return np.stack([right, true, predicted], axis=1)


def miou_of(images: np.ndarray) -> float:
    right, true, predicted = images.sum(axis=0)
    return float((right / (true + predicted - right)).mean())


def test_the_interval_covers_the_truth_at_its_rate():
    """300 samples of 80 images: 95 % of the intervals hold the population's mIoU, give or take chance (1.3 %)."""
    random = np.random.default_rng(0)
    truth = miou_of(population(random, 200_000))
    covered = [
        low <= truth <= high
        for low, high in (bootstrap_interval(population(random, 80), resamples=400, seed=k) for k in range(300))
    ]
    assert 0.91 <= np.mean(covered) <= 0.985


def rare_population(random: np.random.Generator, images: int) -> np.ndarray:
    """Counts of thirty classes, the last of them in one image of 130, and the rarer the harder."""
    order = np.arange(1, 31)
    there = random.random((images, 30)) < np.minimum(1, 1.2 / order**1.5)
    true = there * random.integers(50, 2000, (images, 30))
    skill = np.linspace(0.8, 0.2, 30)
    right = (np.clip(1.3 * random.beta(4, 2, (images, 1)) * skill, 0, 1) * true).astype(int)
    taken = random.dirichlet(np.full(30, 0.3), images)
    predicted = right + ((true - right).sum(axis=1, keepdims=True) * taken).astype(int)
    return np.stack([right, true, predicted], axis=1)


@pytest.mark.parametrize(("images", "least"), [(100, 0.88), (500, 0.92)])
def test_the_interval_covers_the_truth_where_classes_are_rare(images: int, least: float):
    """Plain percentiles cover it in .45 of samples of 100, .81 of 500: rare classes are understated twice."""
    random = np.random.default_rng(0)
    truth = miou_of(rare_population(random, 100_000))
    covered = [
        low <= truth <= high
        for low, high in (
            bootstrap_interval(rare_population(random, images), resamples=300, seed=k) for k in range(150)
        )
    ]
    assert least <= np.mean(covered) <= 0.99


def test_the_interval_holds_the_figure_that_it_is_about():
    """Two classes are never predicted right; in most resamples one of them is not even there."""
    images = np.zeros((6, 3, 3), np.int64)
    images[:, :, 0] = 90
    images[:, 2, 0] = 100
    images[0, 1, 1] = images[1, 1, 2] = 30
    low, high = bootstrap_interval(images)
    assert low <= 0.9 / 3 <= high


def test_the_interval_is_narrower_with_more_images_and_holds_their_own_figure():
    random = np.random.default_rng(1)
    few, many = population(random, 40), population(random, 4000)
    (a, b), (c, d) = bootstrap_interval(few), bootstrap_interval(many)
    assert d - c < (b - a) / 5
    assert a < miou_of(few) < b


def test_an_interval_of_nothing_is_refused():
    with pytest.raises(ValueError, match="needs images"):
        bootstrap_interval(np.zeros((0, 3, 2), np.int64))
