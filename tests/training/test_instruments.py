"""The figures that show a collapse, by hand."""

import math

import pytest
import torch

from zeroseg.training import instruments


def test_token_cosine_is_the_mean_over_pairs():
    """Three tokens: two alike, one at a right angle to both; and a picture of opposite ones."""
    segments = torch.tensor([[[2.0, 0.0], [5.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [-3.0, 0.0], [1.0, 0.0]]])
    first, second = (1 + 0 + 0) / 3, (-1 - 1 + 1) / 3
    assert instruments.token_cosine(segments) == pytest.approx((first + second) / 2)


def test_token_cosine_of_collapsed_tokens_is_one_and_of_a_single_one_nothing():
    assert instruments.token_cosine(torch.ones(2, 8, 5)) == pytest.approx(1)
    assert instruments.token_cosine(torch.ones(2, 1, 5)) == pytest.approx(0, abs=1e-6)


def test_segments_in_use_counts_winners():
    masks = torch.tensor(
        [
            [[0.9, 0.8, 0.7, 0.6], [0.1, 0.2, 0.3, 0.4], [0.0, 0.0, 0.0, 0.0]],  # one wins all
            [[0.9, 0.2, 0.1, 0.6], [0.1, 0.8, 0.1, 0.4], [0.0, 0.0, 0.8, 0.0]],  # all three win
        ]
    )
    assert instruments.segments_in_use(masks) == pytest.approx((1 + 3) / 2)


def test_assignment_entropy_is_a_share_of_the_largest():
    uniform = torch.full((1, 4, 3), 0.25)
    decided = torch.nn.functional.one_hot(torch.tensor([[0, 1, 2]]), 4).transpose(1, 2).float()
    assert instruments.assignment_entropy(uniform) == pytest.approx(1)
    assert instruments.assignment_entropy(decided) == pytest.approx(0, abs=1e-6)
    assert instruments.assignment_entropy(torch.cat([uniform, decided])) == pytest.approx(0.5, abs=1e-6)
    skewed = torch.tensor([0.7, 0.1, 0.1, 0.1])[None, :, None]
    by_hand = -(0.7 * math.log(0.7) + 3 * 0.1 * math.log(0.1)) / math.log(4)
    assert instruments.assignment_entropy(skewed) == pytest.approx(by_hand)


def test_nearest_views_and_their_counts():
    segments = torch.tensor([[[0.0, 0.0], [1.0, 1.0]], [[0.1, 0.0], [0.0, 0.2]]])
    views = torch.tensor([[[0.0, 0.1], [5.0, 5.0], [1.0, 0.9]]]).expand(2, -1, -1)
    assert instruments.nearest_views(segments, views).tolist() == [[0, 2], [0, 0]]
    masks = torch.full((2, 2, 4), 0.5)
    figures = instruments.read(segments, masks, views)
    assert figures["nearest"] == [3, 0, 1]
    assert figures["views_chosen"] == pytest.approx((2 + 1) / 2)  # a collapse would show as 1
    assert figures["token_cosine"] == instruments.token_cosine(segments)
    assert figures["assignment_entropy"] == pytest.approx(1)
    assert figures["segments_in_use"] == instruments.segments_in_use(masks)
