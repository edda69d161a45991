"""The numbers that show a collapse, by hand."""

import math

import pytest
import torch

from zeroseg.training import diagnostics


def test_token_cosine_is_the_mean_over_pairs():
    """Three tokens: two alike, one at a right angle to both; and a picture of opposite ones."""
    segments = torch.tensor([[[2.0, 0.0], [5.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [-3.0, 0.0], [1.0, 0.0]]])
    first, second = (1 + 0 + 0) / 3, (-1 - 1 + 1) / 3
    assert float(diagnostics.token_cosine(segments)) == pytest.approx((first + second) / 2)


def test_token_cosine_of_collapsed_tokens_is_one_and_of_a_single_one_nothing():
    assert float(diagnostics.token_cosine(torch.ones(2, 8, 5))) == pytest.approx(1)
    assert float(diagnostics.token_cosine(torch.ones(2, 1, 5))) == pytest.approx(0, abs=1e-6)


def test_segments_in_use_counts_winners():
    masks = torch.tensor(
        [
            [[0.9, 0.8, 0.7, 0.6], [0.1, 0.2, 0.3, 0.4], [0.0, 0.0, 0.0, 0.0]],  # one wins all
            [[0.9, 0.2, 0.1, 0.6], [0.1, 0.8, 0.1, 0.4], [0.0, 0.0, 0.8, 0.0]],  # all three win
        ]
    )
    assert float(diagnostics.segments_in_use(masks)) == pytest.approx((1 + 3) / 2)


def test_assignment_entropy_is_a_fraction_of_the_largest():
    uniform = torch.full((1, 4, 3), 0.25)
    decided = torch.nn.functional.one_hot(torch.tensor([[0, 1, 2]]), 4).transpose(1, 2).float()
    assert float(diagnostics.assignment_entropy(uniform)) == pytest.approx(1)
    assert float(diagnostics.assignment_entropy(decided)) == pytest.approx(0, abs=1e-6)
    assert float(diagnostics.assignment_entropy(torch.cat([uniform, decided]))) == pytest.approx(0.5, abs=1e-6)
    skewed = torch.tensor([0.7, 0.1, 0.1, 0.1])[None, :, None]
    by_hand = -(0.7 * math.log(0.7) + 3 * 0.1 * math.log(0.1)) / math.log(4)
    assert float(diagnostics.assignment_entropy(skewed)) == pytest.approx(by_hand)


def test_nearest_views_and_their_counts():
    segments = torch.tensor([[[0.0, 0.0], [1.0, 1.0]], [[0.1, 0.0], [0.0, 0.2]]])
    views = torch.tensor([[[0.0, 0.1], [5.0, 5.0], [1.0, 0.9]]]).expand(2, -1, -1)
    assert diagnostics.nearest_views(segments, views).tolist() == [[0, 2], [0, 0]]
    masks = torch.full((2, 2, 4), 0.5)
    metrics = diagnostics.read(segments, masks, views)
    assert metrics["nearest"].tolist() == [3, 0, 1]
    assert float(metrics["views_chosen"]) == pytest.approx((2 + 1) / 2)  # a collapse would show as 1
    assert metrics["token_cosine"] == diagnostics.token_cosine(segments)
    assert float(metrics["assignment_entropy"]) == pytest.approx(1)
    assert metrics["segments_in_use"] == diagnostics.segments_in_use(masks)


def test_what_is_read_of_the_parts_of_a_batch_adds_up_to_what_is_read_of_the_batch():
    generator = torch.Generator().manual_seed(0)
    segments, views = torch.randn(5, 3, 4, generator=generator), torch.randn(5, 6, 4, generator=generator)
    masks = torch.randn(5, 3, 7, generator=generator).softmax(dim=1)
    whole = diagnostics.read(segments, masks, views)
    some = diagnostics.read(segments[:2], masks[:2], views[:2], 2 / 5)
    others = diagnostics.read(segments[2:], masks[2:], views[2:], 3 / 5)
    assert whole.keys() == {"token_cosine", "segments_in_use", "assignment_entropy", "views_chosen", "nearest"}
    for name, value in whole.items():
        torch.testing.assert_close(some[name] + others[name], value)
