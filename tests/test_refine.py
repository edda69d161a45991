"""Refinement: against a naive loop over pixels, and what it must never do."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from zeroseg.refine import DILATIONS, SPREAD, TINY, affinities, refine


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def naive_round(maps: torch.Tensor, pixels: torch.Tensor) -> torch.Tensor:
    """One round in float64, pixel by pixel, from the paper's formulas."""
    maps, pixels = maps.double(), pixels.double()
    _, height, width = maps.shape
    result = torch.zeros_like(maps)
    for y in range(height):
        for x in range(width):
            places = [
                (min(max(y + dy * far, 0), height - 1), min(max(x + dx * far, 0), width - 1))
                for far in DILATIONS
                for dy in (-1, 0, 1)
                for dx in (-1, 0, 1)
                if dy or dx
            ]
            colours = [pixels[:, row, column] for row, column in places]
            rings = [*colours, *[pixels[:, y, x]] * len(DILATIONS)]  # 3 x 3 colours of each ring: 54 in all
            deviation = torch.stack(rings).std(dim=0)
            alike = [-float(((c - pixels[:, y, x]).abs() / (SPREAD * deviation + TINY)).mean()) for c in colours]
            powers = [math.exp(value - max(alike)) for value in alike]
            for power, (row, column) in zip(powers, places, strict=True):
                result[:, y, x] += power / sum(powers) * maps[:, row, column]
    return result


@pytest.mark.parametrize(("height", "width"), [(9, 7), (1, 6), (30, 2)])
def test_rounds_are_those_of_a_naive_loop(height: int, width: int):
    maps, pixels = random(3, height, width), random(3, height, width, seed=1)
    expected = naive_round(naive_round(maps, pixels), pixels)
    torch.testing.assert_close(refine(maps, pixels, 2).double(), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("contrast", [0.0, 0.002, 0.02])
def test_faint_pictures_have_the_weights_of_a_naive_loop(contrast: float):
    """There deviations are differences of almost equal numbers, and one pixel stands out."""
    maps, pixels = random(2, 8, 9), 0.9 + contrast * random(3, 8, 9, seed=1)
    pixels[:, 3, 4] = 0.1
    torch.testing.assert_close(refine(maps, pixels, 1).double(), naive_round(maps, pixels), atol=1e-4, rtol=1e-3)


def test_weights_are_those_of_the_authors_formula_in_whole_arrays():
    """Every ring's 3 x 3 colours by unfolding, deviation over all 54, softmax over the 48 others: to 3e-6."""
    pixels = random(3, 40, 33)
    padded = [F.pad(pixels.double()[None], [far] * 4, mode="replicate") for far in DILATIONS]
    rings = [F.unfold(some, 3, dilation=far).view(3, 9, 40, 33) for some, far in zip(padded, DILATIONS, strict=True)]
    deviation = torch.cat(rings, dim=1).std(dim=1, keepdim=True)
    others = torch.cat([ring[:, [0, 1, 2, 3, 5, 6, 7, 8]] for ring in rings], dim=1)
    likeness = (-(others - pixels[:, None]).abs() / (0.1 * deviation + 1e-8)).mean(dim=0)
    torch.testing.assert_close(affinities(pixels).double(), likeness.softmax(dim=0), atol=3e-6, rtol=0)


def test_coarse_maps_are_interpolated_first():
    maps, pixels = random(2, 3, 4), random(3, 24, 32, seed=1)
    large = F.interpolate(maps[None], size=(24, 32), mode="bilinear")[0]
    torch.testing.assert_close(refine(maps, pixels, 0), large)
    torch.testing.assert_close(refine(maps, pixels, 3), refine(large, pixels, 3))


@settings(max_examples=20, deadline=None)
@given(height=st.integers(1, 12), width=st.integers(1, 12), rounds=st.integers(1, 3), seed=st.integers(0, 9))
def test_constants_stay_and_no_value_leaves_its_range(height: int, width: int, rounds: int, seed: int):
    """So a margin between two maps means the same before and after."""
    pixels = random(3, height, width, seed=seed)
    maps = torch.cat([torch.full((1, height, width), 7.0), random(2, height, width, seed=seed + 1)])
    refined = refine(maps, pixels, rounds)
    torch.testing.assert_close(refined[0], maps[0], atol=1e-4, rtol=0)
    assert float(refined[1:].min()) >= float(maps[1:].min()) - 1e-4
    assert float(refined[1:].max()) <= float(maps[1:].max()) + 1e-4
    torch.testing.assert_close(refine(maps + 2.5, pixels, rounds), refined + 2.5, atol=1e-4, rtol=0)


def test_weights_sum_to_one_also_where_the_picture_is_flat():
    pixels = random(3, 10, 10)
    pixels[:, :, :6] = 0.5
    weights = affinities(pixels)
    assert weights.shape == (48, 10, 10)
    torch.testing.assert_close(weights.sum(dim=0), torch.ones(10, 10))


def test_coarse_mask_moves_to_the_edge_of_the_drawing():
    """A square of 20 pixels, known by cells of 8: refinement finds its outline, which the grid misses by 2 pixels."""
    pixels = torch.full((3, 64, 64), 0.9)
    pixels[:, 22:42, 22:42] = 0.1
    truth = pixels[0] < 0.5
    inside = F.avg_pool2d(truth.float()[None], 8)
    maps = torch.cat([1 - inside, inside])

    def iou(rounds: int) -> float:
        found = refine(maps, pixels, rounds).argmax(dim=0).bool()
        return float((found & truth).sum() / (found | truth).sum())

    assert iou(0) < 0.85
    assert iou(10) > 0.97
