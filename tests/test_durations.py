"""Durations in words: never more than two units, and no number that should have been carried."""

import pytest

from zeroseg.durations import time_left

DAY = 86_400


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"), (45.4, "45 s"), (120, "2 min"), (7169, "119 min"), (7170, "2 h 0 min"), (25_500, "7 h 5 min"),
        (2 * DAY - 1801, "47 h 30 min"), (2 * DAY, "2 days 0 h"), (3 * DAY + 7200, "3 days 2 h"),
    ],
)  # fmt: skip
def test_words(seconds: float, words: str):
    assert time_left(seconds) == f"{words} left"
