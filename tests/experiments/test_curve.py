"""What is kept of a log."""

import math

import pytest

from zeroseg.experiments.curve import curve_of, seconds_trained, thinned
from zeroseg.experiments.design import TRAINING_POINTS, VALIDATION_POINTS


def trained(step: int, rate: float = 10.0, **figures: object) -> dict[str, object]:
    return {"step": step, "time": 1.0, "images_per_second": rate, "loss": 1.0} | figures


def test_training_and_validation_are_columns_over_the_steps_done():
    log = [
        {"step": -1, "time": 0.0, "images_per_second": 0.0, "miou": 0.1},
        trained(0, token_cosine=1 / 3, nearest=[0, 6, 2]),
        {"step": 0, "skipped": 1, "images": ["a.png"]},
        trained(5, gradient_norm=None),
        {"step": 9, "time": 0.0, "images_per_second": 0.0, "miou": 0.2},
    ]
    assert curve_of(log) == {
        "training": {
            "step": [1, 6],
            "loss": [1.0, 1.0],
            "token_cosine": [0.3333, None],
            "nearest_share": [0.75, None],
            "gradient_norm": [None, None],
        },
        "validation": {"step": [0, 10], "miou": [0.1, 0.2]},
    }


def test_a_curve_has_at_most_forty_points():
    log = [trained(step) for step in range(500)] + [{"step": step, "miou": 0.1} for step in range(50)]
    curve = curve_of(log)
    assert len(curve["training"]["step"]) == TRAINING_POINTS
    assert len(curve["validation"]["step"]) == VALIDATION_POINTS
    assert TRAINING_POINTS + VALIDATION_POINTS <= 40


@pytest.mark.parametrize("count", [0, 1, 4, 5, 6, 99])
def test_thinned_rows_keep_both_ends_and_their_order(count: int):
    rows = [{"step": step} for step in range(count)]
    kept = thinned(rows, 5)
    assert len(kept) == min(count, 5)
    assert kept == [row for row in rows if row in kept]
    if rows:
        assert (kept[0], kept[-1]) == (rows[0], rows[-1])


def test_time_is_that_of_training_steps_whatever_came_between():
    """1 image at 10 a second, 5 at 20, 4 at 10: evaluations and pauses do not count."""
    log = [trained(0, 10), {"step": 0, "miou": 0.1, "images_per_second": 0.0}, trained(5, 20), trained(9, 10)]
    assert seconds_trained(log, 1) == pytest.approx(0.1 + 0.25 + 0.4)
    assert math.isfinite(seconds_trained([trained(0, 0.0)], 1))
