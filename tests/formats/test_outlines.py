"""Outlines against a naive oracle, pixel by pixel: they are exact, keep holes, and fill alike under both rules."""

from __future__ import annotations

import numpy as np
import pycocotools.mask
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.formats.pictures import by_pycocotools
from zeroseg.formats import Classes, regions
from zeroseg.formats.outlines import outline, painted

MASKS = arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12)))


def areas(mask: np.ndarray) -> list[tuple[np.ndarray, list[np.ndarray], np.ndarray]]:
    """Every connected area of a mask: its pixels, its rings, and the one ring with bridges."""
    found = []
    for region in regions(Classes(("background", "x"), True).segmentation(mask.astype(np.uint16))):
        whole, (height, width) = np.zeros(mask.shape, bool), region.mask.shape
        whole[region.top : region.top + height, region.left : region.left + width] = region.mask
        border = outline(region.mask).moved(region.left, region.top)
        found.append((whole, [border.exterior, *border.holes], border.keyholed))
    return found


def windings(ring: np.ndarray, x: float, y: float) -> int:
    """How often a ring of vertical and horizontal edges runs round a point, counted on a line to the right."""
    turns = 0
    for (left, top), (right, bottom) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        if min(top, bottom) < y < max(top, bottom):
            crossing = left + (y - top) / (bottom - top) * (right - left)
            turns += (crossing > x) * (1 if bottom > top else -1)
    return turns


@given(MASKS)
@settings(deadline=None)
def test_areas_are_what_winds_round_their_pixels(mask: np.ndarray) -> None:
    """Exterior and holes together, and the one ring, wind once round each pixel of the area and round no other."""
    union = np.zeros(mask.shape, int)
    for whole, rings, keyholed in areas(mask):
        union += whole
        for y, x in np.ndindex(mask.shape):
            inside = sum(windings(ring, x + 0.5, y + 0.5) for ring in rings)
            assert inside == whole[y, x] == windings(keyholed, x + 0.5, y + 0.5)
    assert (union == mask).all()


@given(MASKS)
@settings(deadline=None)
def test_painting_is_exact(mask: np.ndarray) -> None:
    """Rings give back their pixels, and pycocotools decodes the one ring to the same."""
    height, width = mask.shape
    for whole, rings, keyholed in areas(mask):
        assert (painted(rings, (width, height)) == whole).all()
        assert (painted([keyholed], (width, height)) == whole).all()
        encoded = pycocotools.mask.frPyObjects([keyholed.ravel().tolist()], height, width)
        assert (by_pycocotools(encoded)[..., 0] == whole).all()


@given(MASKS)
@settings(deadline=None)
def test_rings_turn_at_every_corner(mask: np.ndarray) -> None:
    """No corner lies on a straight line, so a rectangle has four."""
    for _, rings, _ in areas(mask):
        for ring in rings:
            steps = np.roll(ring, -1, axis=0) - ring
            assert ((steps == 0).sum(axis=1) == 1).all()
            assert ((steps[:, 0] == 0) != (np.roll(steps, 1, axis=0)[:, 0] == 0)).all()


@given(
    st.lists(st.tuples(st.floats(-5, 15), st.floats(-5, 15)), min_size=3, max_size=7),
    st.tuples(st.integers(1, 10), st.integers(1, 10)),
)
@settings(deadline=None)
def test_painting_of_any_polygon(corners: list[tuple[float, float]], size: tuple[int, int]) -> None:
    """Polygons of other tools: any corners, also outside of the picture, by the even-odd rule."""
    ring, (width, height) = np.array(corners), size
    filled = painted([ring], size)
    for y, x in np.ndindex(height, width):
        assert (
            filled[y, x]
            == sum(_crosses(a, b, x + 0.5, y + 0.5) for a, b in zip(ring, np.roll(ring, -1, 0), strict=True)) % 2
        )


def _crosses(one: np.ndarray, other: np.ndarray, x: float, y: float) -> bool:
    """Whether an edge crosses the line from a point to the left."""
    upper, lower = (one, other) if one[1] <= other[1] else (other, one)
    if not upper[1] <= y < lower[1]:
        return False
    return upper[0] + (y - upper[1]) / (lower[1] - upper[1]) * (lower[0] - upper[0]) <= x
