"""Connected components: against a flood fill, pixel by pixel; and what merging small ones must never do."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from zeroseg.components import components, without_small_components

MAPS = arrays.arrays(np.uint16, arrays.array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(0, 3))
SPIRAL = np.array(
    [[1, 1, 1, 1, 1], [0, 0, 0, 0, 1], [1, 1, 1, 0, 1], [1, 0, 0, 0, 1], [1, 1, 1, 1, 1]], dtype=np.uint16
)


def flooded(class_map: np.ndarray) -> np.ndarray:
    """Components by a flood fill from every pixel in turn."""
    numbers = np.full(class_map.shape, -1)
    count = 0
    for start in np.ndindex(class_map.shape):
        if numbers[start] >= 0:
            continue
        waiting = [start]
        while waiting:
            y, x = waiting.pop()
            inside = 0 <= y < class_map.shape[0] and 0 <= x < class_map.shape[1]
            if inside and numbers[y, x] < 0 and class_map[y, x] == class_map[start]:
                numbers[y, x] = count
                waiting += [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
        count += 1
    return numbers


def merged(class_map: np.ndarray, smallest: float) -> np.ndarray:
    """Small components filled ring by ring, pixel by pixel."""
    numbers = flooded(class_map)
    decided = np.array([[(numbers == number).sum() >= smallest for number in row] for row in numbers])
    if not decided.any():
        return class_map
    found = class_map.copy()
    while not decided.all():
        before, known = found.copy(), decided.copy()
        for y, x in np.argwhere(~known):
            around = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
            inside = [(a, b) for a, b in around if 0 <= a < known.shape[0] and 0 <= b < known.shape[1]]
            votes = sorted(int(before[place]) for place in inside if known[place])
            if votes:
                found[y, x], decided[y, x] = max(votes, key=lambda one: (votes.count(one), -one)), True
    return found


@settings(max_examples=200, deadline=None)
@given(MAPS)
@example(SPIRAL)
@example(np.arange(16, dtype=np.uint16).reshape(4, 4) % 2)
def test_components_are_those_of_a_flood_fill(class_map: np.ndarray):
    assert np.array_equal(components(class_map), flooded(class_map))


@settings(max_examples=200, deadline=None)
@given(MAPS, st.floats(0, 20))
@example(SPIRAL, 9)
def test_small_components_are_merged_like_pixel_by_pixel(class_map: np.ndarray, smallest: float):
    assert np.array_equal(without_small_components(class_map, smallest), merged(class_map, smallest))


@settings(max_examples=200, deadline=None)
@given(MAPS, st.integers(1, 12))
def test_large_components_stay_and_no_small_one_is_left(class_map: np.ndarray, smallest: int):
    numbers = components(class_map)
    large = (np.bincount(numbers.ravel()) >= smallest)[numbers]
    found = without_small_components(class_map, smallest)
    assert (found.dtype, found.shape) == (class_map.dtype, class_map.shape)
    assert np.array_equal(found[large], class_map[large])
    assert set(np.unique(found)) <= set(np.unique(class_map))
    assert not large.any() or np.bincount(components(found).ravel()).min() >= smallest
    assert np.array_equal(without_small_components(found, smallest), found)


@settings(max_examples=100, deadline=None)
@given(MAPS, st.integers(1, 12), st.sampled_from([np.flipud, np.fliplr, np.rot90, np.transpose]))
def test_turned_maps_give_turned_results(class_map: np.ndarray, smallest: int, turned: np.ufunc):
    expected = turned(without_small_components(class_map, smallest))
    assert np.array_equal(without_small_components(np.ascontiguousarray(turned(class_map)), smallest), expected)


def test_corners_do_not_connect():
    board = np.indices((4, 4)).sum(axis=0) % 2
    assert components(board).max() == 15
    assert without_small_components(board, 2) is board


@pytest.mark.parametrize("smallest", [0, 0.5, 1])
def test_nothing_is_smaller_than_a_pixel(smallest: float):
    noise = np.random.default_rng(0).integers(0, 3, (20, 20))
    assert without_small_components(noise, smallest) is noise


def test_confetti_on_an_edge_goes_and_the_edge_stays():
    """Two halves; noise within 6 pixels of the edge between them, as refinement leaves it on textures."""
    halves = np.zeros((60, 80), dtype=np.uint16)
    halves[:, 40:] = 1
    noise = np.random.default_rng(0).random(halves.shape)
    noisy = np.where((np.abs(np.arange(80) - 39.5) < 6) & (noise < 0.3), 1 - halves, halves)
    found = without_small_components(noisy, 24)
    assert components(noisy).max() > 100
    assert components(found).max() == 1
    assert (found != halves).mean() < (noisy != halves).mean() / 2


@settings(max_examples=100, deadline=None)
@given(MAPS, st.integers(1, 40), st.integers(1, 12))
@example(SPIRAL, 1, 4)
def test_a_large_map_is_read_in_strips(class_map: np.ndarray, at_once: int, smallest: int):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zeroseg.components.AT_ONCE", at_once)
        assert np.array_equal(components(class_map), flooded(class_map))
        assert np.array_equal(without_small_components(class_map, smallest), merged(class_map, smallest))
