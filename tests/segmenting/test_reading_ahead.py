"""Reading ahead keeps the order, and the limit on pixels that wait."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zeroseg.segmenting.reading_ahead import read_ahead


@given(st.lists(st.integers(0, 30), max_size=12), st.integers(1, 4), st.integers(1, 40))
@settings(deadline=None)
def test_order_and_limit(sizes: list[int], threads: int, limit: int) -> None:
    """What was begun and not yet used never has more pixels than the limit, unless it is one picture."""
    begun, used, lock = list[int](), list[int](), threading.Lock()

    def read(task: tuple[int, int]) -> int:
        with lock:
            begun.append(task[1])
            held = sum(begun) - sum(used)
            assert held <= limit or len([size for size in begun if size]) - len([size for size in used if size]) <= 1
        return task[0]

    places = []
    for place in read_ahead(enumerate(sizes), lambda task: task[1], read, threads, limit):
        places.append(place)
        with lock:
            used.append(sizes[place])
    assert places == list(range(len(sizes)))


def test_a_reader_that_fails_ends_the_run() -> None:
    """Its error comes where its result would have come."""

    def read(number: int) -> int:
        if number == 2:
            raise ValueError("no 2")
        return number

    reads = read_ahead(range(5), lambda _: 1, read, threads=2)
    assert [next(reads), next(reads)] == [0, 1]
    with pytest.raises(ValueError, match="no 2"):
        next(reads)


def test_it_may_be_left_early() -> None:
    """Nothing more is read than was begun."""
    begun = list[int]()
    reads = read_ahead(range(1000), lambda _: 1, lambda number: begun.append(number) or number, threads=2)
    assert next(reads) == 0
    reads.close()
    assert len(begun) < 10
