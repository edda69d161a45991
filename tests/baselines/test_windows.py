"""Sliding windows against a loop over windows and cells."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.tiny import TEACH, photo, teacher
from zeroseg.baselines import READ_OUT, SlidingWindows, windows
from zeroseg.errors import ConfigError
from zeroseg.images import to_tensor
from zeroseg.segmenter import Segmenter


def pixels_of(height: int, width: int) -> Tensor:
    return to_tensor(photo(width, height))[None].float() / 255


def naive_starts(length: int, side: int, step: int) -> list[int]:
    found, start = [], 0
    while start + side < length:
        found.append(start)
        start += step
    return [*found, length - side]


def naive_cells(pixels: Tensor, sides: Sequence[int], step: int, grid: tuple[int, int]) -> np.ndarray:
    """Window by window, cell by cell: mean embedding weighted with covered area and (smallest side / side)^2."""
    height, width = pixels.shape[2:]
    cell_height, cell_width = height / grid[0], width / grid[1]
    total, weight = np.zeros((*grid, TEACH.embedding_width)), np.zeros(grid)
    for side in sides:
        for top in naive_starts(height, side, step):
            for left in naive_starts(width, side, step):
                embedded = teacher().embed_images(pixels[:, :, top : top + side, left : left + side])[0].numpy()
                for row in range(grid[0]):
                    for column in range(grid[1]):
                        y, x = row * cell_height, column * cell_width
                        down = min(y + cell_height, top + side) - max(y, top)
                        across = min(x + cell_width, left + side) - max(x, left)
                        share = max(0.0, down) * max(0.0, across) / (cell_height * cell_width)
                        total[row, column] += share / side**2 * embedded / np.linalg.norm(embedded)
                        weight[row, column] += share / side**2
    return (total / weight[..., None]).reshape(-1, TEACH.embedding_width)


@pytest.mark.parametrize(("height", "width", "grid"), [(24, 24, (5, 5)), (24, 38, (5, 8)), (50, 24, (10, 5))])
def test_cells_are_those_of_a_loop_over_windows(height: int, width: int, grid: tuple[int, int]):
    """Windows of 6 and 12 pixels every 4; cells of 4.8 pixels, so that windows cover parts of them."""
    pixels = pixels_of(height, width)
    encoded = SlidingWindows(teacher(), 24, sides=(1 / 2, 1 / 4), stride=1 / 6, cells=5).encode(
        pixels, [(height, width)]
    )[0]
    assert encoded.grid == grid
    assert encoded.patches is not None
    expected = naive_cells(pixels, (6, 12), 4, grid)
    np.testing.assert_allclose(encoded.patches, expected, atol=1e-5)
    assert expected.std(axis=0).mean() > 0.01  # cells differ, so the agreement says something
    torch.testing.assert_close(encoded.image, teacher().embed_images(pixels)[0])


def test_by_default_windows_are_a_sixth_to_a_half_of_the_shorter_side(monkeypatch: pytest.MonkeyPatch):
    """16, 24, 32 and 48 of 96 pixels, every 6: 619 of them, for 24 x 24 cells."""
    seen: list[tuple[int, ...]] = []
    embed = teacher().embed_images
    monkeypatch.setattr(teacher(), "embed_images", lambda images: seen.append(tuple(images.shape)) or embed(images))
    encoded = SlidingWindows(teacher(), 96).encode(pixels_of(96, 96), [(96, 96)])[0]
    assert encoded.grid == (24, 24)
    assert seen == [(1, 3, 96, 96), (225, 3, 16, 16), (169, 3, 24, 24), (144, 3, 32, 32), (81, 3, 48, 48)]


def test_starts_go_to_the_edge_of_the_image():
    assert windows.starts(96, 24, 6) == list(range(0, 73, 6))
    assert windows.starts(96, 32, 6) == [*range(0, 61, 6), 64]
    assert windows.starts(10, 10, 3) == [0]


@pytest.mark.parametrize("size", [(64, 64), (90, 40), (5, 200)])
def test_windows_segment_a_picture_of_any_size(size: tuple[int, int]):
    segmenter = Segmenter(SlidingWindows(teacher(), 16, stride=1 / 8, cells=4), teacher(), READ_OUT)
    assert segmenter(photo(*size), "dog, cat").size == size


@pytest.mark.parametrize(
    ("sides", "stride", "said"),
    [
        ((), 0.1, "none and 0.1"),
        ((0.25, 1.5), 0.1, "0.25, 1.5 and 0.1"),
        ((0.25, 0.5), 0.3, "0.25, 0.5 and 0.3"),
        ((0.25,), 0.0, "0.25 and 0"),
    ],
)
def test_windows_that_do_not_fit_or_leave_gaps_are_refused(sides: tuple[float, ...], stride: float, said: str):
    with pytest.raises(ConfigError, match=rf"fractions of the image's shorter side, .*: not {said}\.$"):
        SlidingWindows(teacher(), 32, sides, stride)


@pytest.mark.parametrize(("shorter_side", "cells"), [(0, 4), (32, 0)])
def test_windows_without_pixels_or_cells_are_refused(shorter_side: int, cells: int):
    with pytest.raises(ConfigError, match=rf"^windows need 1 or more .*, not {shorter_side} and {cells}\.$"):
        SlidingWindows(teacher(), shorter_side, cells=cells)
