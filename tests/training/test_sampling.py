"""Which samples a step sees."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zeroseg.training import sampling
from zeroseg.training.sampling import flipped, hflip, numbers_of, permuted


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 40), st.integers(1, 9), st.integers(0, 3))
def test_every_epoch_has_every_sample_once(count: int, size: int, seed: int):
    drawn = [number for step in range(count) for number in numbers_of(step, size, count, seed)]
    for epoch in range(size):
        assert sorted(drawn[epoch * count : (epoch + 1) * count]) == list(range(count))


def test_epochs_and_seeds_have_orders_of_their_own():
    orders = [numbers_of(epoch, 20, 20, seed) for epoch in (0, 1) for seed in (0, 1)]
    assert len({tuple(order) for order in orders}) == 4


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 30), st.integers(1, 50), st.integers(1, 40), st.integers(0, 3))
def test_the_order_is_that_of_numpys_permutation(step: int, size: int, count: int, seed: int):
    """Runs that were begun by earlier versions go on with the same samples."""
    expected = [
        np.random.default_rng([seed, place // count]).permutation(count)[place % count]
        for place in range(step * size, (step + 1) * size)
    ]
    assert numbers_of(step, size, count, seed) == expected


@pytest.mark.parametrize("count", [*range(1, 20), 63, 64, 65, 255, 256, 257, 1000, 4097, 70_000])
def test_the_permutation_without_a_list_has_every_number_once(count: int):
    places = np.arange(count)
    numbers = permuted(places, count, (3, 1))
    assert np.array_equal(np.sort(numbers), places)
    assert np.array_equal(permuted(places[::-1].copy(), count, (3, 1)), numbers[::-1])  # each place by itself


def test_the_permutation_without_a_list_looks_random():
    """Neighbours land anywhere: the mean distance of two random numbers is a third; keys give other orders."""
    count = 100_000
    numbers, other = (permuted(np.arange(count), count, (seed, 0)) for seed in (0, 1))
    assert np.abs(np.diff(numbers)).mean() / count == pytest.approx(1 / 3, abs=0.01)
    assert abs(np.corrcoef(np.arange(count), numbers)[0, 1]) < 0.02
    assert abs(np.corrcoef(numbers, other)[0, 1]) < 0.02
    assert (numbers == np.arange(count)).sum() < 10


def test_above_the_limit_no_list_is_made(monkeypatch: pytest.MonkeyPatch):
    """With a billion images a list would take 8 GB in each process. Epochs have their own orders there, too."""
    count = 1_000_000_007
    drawn = numbers_of(0, 1000, count, 0)
    assert len(set(drawn)) == 1000
    assert 0 <= min(drawn) < max(drawn) < count
    monkeypatch.setattr(sampling, "LARGEST_LIST", 10)
    epochs = [numbers_of(epoch, 20, 20, 0) for epoch in range(3)]
    assert all(sorted(epoch) == list(range(20)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_half_of_the_samples_are_flipped():
    fraction = torch.stack([flipped(step, 32, 0) for step in range(100)]).float().mean()
    assert float(fraction) == pytest.approx(0.5, abs=0.03)
    assert torch.equal(flipped(3, 32, 0), flipped(3, 32, 0))


def test_flips_reverse_the_rows_of_those_that_are_meant():
    images = torch.arange(12).view(2, 2, 3)
    assert hflip(images, torch.tensor([False, True])).tolist() == [[[0, 1, 2], [3, 4, 5]], [[8, 7, 6], [11, 10, 9]]]
