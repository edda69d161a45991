"""Which samples a step sees."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zeroseg.training.sampling import flipped, hflip, numbers_of


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 40), st.integers(1, 9), st.integers(0, 3))
def test_every_epoch_has_every_sample_once(count: int, size: int, seed: int):
    drawn = [number for step in range(count) for number in numbers_of(step, size, count, seed)]
    for epoch in range(size):
        assert sorted(drawn[epoch * count : (epoch + 1) * count]) == list(range(count))


def test_epochs_and_seeds_have_orders_of_their_own():
    orders = [numbers_of(epoch, 20, 20, seed) for epoch in (0, 1) for seed in (0, 1)]
    assert len({tuple(order) for order in orders}) == 4


def test_half_of_the_samples_are_flipped():
    fraction = torch.stack([flipped(step, 32, 0) for step in range(100)]).float().mean()
    assert float(fraction) == pytest.approx(0.5, abs=0.03)
    assert torch.equal(flipped(3, 32, 0), flipped(3, 32, 0))


def test_flips_reverse_the_rows_of_those_that_are_meant():
    images = torch.arange(12).view(2, 2, 3)
    assert hflip(images, torch.tensor([False, True])).tolist() == [[[0, 1, 2], [3, 4, 5]], [[8, 7, 6], [11, 10, 9]]]
