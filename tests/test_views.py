"""View boxes tile the image exactly; what patches share with them agrees with counting pixels."""

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from zeroseg.errors import ConfigError
from zeroseg.losses import EMPTY
from zeroseg.views import ViewsConfig, grid_boxes, hflip_order, patch_coverage, patch_relevance

PAPER = ViewsConfig()


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_each_plain_grid_covers_every_pixel_exactly_once(data: st.DataObject):
    n = data.draw(st.integers(1, 12), "n")
    side = data.draw(st.integers(n, 120), "side")
    boxes = grid_boxes(side, n)
    painted = np.zeros((side, side), int)
    for left, top, right, bottom in boxes:
        assert 0 <= left < right <= side
        assert 0 <= top < bottom <= side
        painted[top:bottom, left:right] += 1
    assert len(boxes) == n * n
    assert (painted == 1).all()


@settings(max_examples=60, deadline=None)
@given(n=st.integers(1, 6), times=st.integers(2, 40), rest=st.integers(0, 5))
def test_overlapping_windows_stand_at_half_steps_and_have_one_size(n: int, times: int, rest: int):
    side = n * times + rest
    boxes = grid_boxes(side, n, overlapping=True)
    assert len(boxes) == (2 * n - 1) ** 2
    assert len(set(boxes)) == len(boxes)
    for number, (left, top, right, bottom) in enumerate(boxes):
        row, column = divmod(number, 2 * n - 1)
        exact = [v * side / (2 * n) for v in (column, row, column + 2, row + 2)]
        assert [left, top, right, bottom] == pytest.approx(exact, abs=0.5)


def test_overlapping_windows_contain_the_plain_ones():
    assert set(grid_boxes(97, 3)) <= set(grid_boxes(97, 3, overlapping=True))


def test_paper_has_30_views_and_84_when_they_overlap():
    assert len(PAPER.boxes()) == 30
    assert len(ViewsConfig(overlapping=True).boxes()) == 84
    assert PAPER.boxes()[:3] == [(0, 0, 224, 224), (0, 0, 112, 112), (112, 0, 224, 112)]  # row by row
    assert PAPER.boxes()[3] == (0, 112, 112, 224)


def test_only_the_whole_image_is_not_local():
    """Equation 1 of the paper leaves v_1 out, and nothing else."""
    assert PAPER.is_local() == [False] + [True] * 29
    assert ViewsConfig(side=60, grids=(3, 1)).is_local() == [True] * 9 + [False]
    assert all(ViewsConfig(side=60, grids=(2, 3)).is_local())


@settings(max_examples=60, deadline=None)
@given(
    side=st.integers(32, 256),
    grids=st.lists(st.integers(1, 5), min_size=1, max_size=4, unique=True),
    overlapping=st.booleans(),
)
@example(36, [4, 5], True)  # both grids have a view of the same pixels
def test_mirroring_twice_is_nothing_and_once_mirrors_boxes(side: int, grids: list[int], overlapping: bool):
    config = ViewsConfig(side, tuple(grids), overlapping)
    order = hflip_order(config)
    boxes = config.boxes()
    assert torch.equal(order[order], torch.arange(len(boxes)))
    for (left, top, right, bottom), place in zip(boxes, order.tolist(), strict=True):
        mirrored = (side - right, top, side - left, bottom)
        assert boxes[place] == pytest.approx(mirrored, abs=1)  # halves of pixels may be rounded the other way
        assert (boxes[place][1], boxes[place][3]) == (top, bottom)


def test_mirrored_picture_shows_in_the_mirrored_view_what_the_picture_showed_in_the_view():
    config = ViewsConfig(side=48, overlapping=True)  # all half steps are whole pixels
    picture = np.random.default_rng(0).random((48, 48))
    boxes = config.boxes()
    for (left, top, right, bottom), place in zip(boxes, hflip_order(config).tolist(), strict=True):
        l2, t2, r2, b2 = boxes[place]
        seen = np.fliplr(picture)[t2:b2, l2:r2]
        np.testing.assert_array_equal(seen, np.fliplr(picture[top:bottom, left:right]))


@settings(max_examples=10, deadline=None)
@given(
    patches=st.integers(1, 5),
    size=st.integers(2, 6),
    grids=st.lists(st.integers(1, 4), min_size=1, max_size=3, unique=True),
    overlapping=st.booleans(),
)
def test_coverage_is_the_share_of_a_patchs_pixels_in_a_view(
    patches: int, size: int, grids: list[int], overlapping: bool
):
    side = patches * size
    if side < 2 * max(grids):
        side, size = side * 4, size * 4
    config = ViewsConfig(side, tuple(grids), overlapping)
    coverage = patch_coverage(config, patches)
    for place, (left, top, right, bottom) in enumerate(config.boxes()):
        view = np.zeros((side, side))
        view[top:bottom, left:right] = 1
        for row in range(patches):
            for column in range(patches):
                naive = view[row * size : (row + 1) * size, column * size : (column + 1) * size].mean()
                assert float(coverage[row * patches + column, place]) == pytest.approx(naive, abs=1e-5)


@pytest.mark.parametrize(("side", "patches"), [(100, 7), (33, 4)])
def test_coverage_of_patches_with_broken_pixels_adds_up_to_the_view(side: int, patches: int):
    """Patches that are no whole number of pixels: the shares still add up to each view's area."""
    config = ViewsConfig(side, (1, 3), overlapping=True)
    areas = torch.tensor([(r - x) * (b - y) for x, y, r, b in config.boxes()], dtype=torch.float32)
    total = patch_coverage(config, patches).sum(dim=0) * (side / patches) ** 2
    torch.testing.assert_close(total, areas, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("grids", [(), (0,), (-1, 2), (2, 2), (1, 33)])
def test_impossible_grids_are_refused(grids: tuple[int, ...]):
    with pytest.raises(ConfigError, match="grids"):
        ViewsConfig(side=32, grids=grids)


def test_key_tells_different_views_apart():
    configs = [
        ViewsConfig(side=32, grids=grids, overlapping=overlapping)
        for grids in [(1, 2), (2, 1), (1, 2, 3)]
        for overlapping in (False, True)
    ] + [ViewsConfig(side=48, grids=(1, 2))]
    assert len({config.key for config in configs}) == len(configs)


@pytest.mark.parametrize("focus", [0.0, 1.0, 2.0])
def test_relevance_is_coverage_times_nearness_times_fineness(focus: float):
    """Against a loop over patches and views; patches of 12 pixels, views of 96, 48, 36 (not whole patches) and 24."""
    config = ViewsConfig(side=96, grids=(1, 2, 3, 4), overlapping=True)
    relevance, coverage = patch_relevance(config, 8, focus), patch_coverage(config, 8)
    for patch in range(64):
        y, x = 12 * (patch // 8) + 6, 12 * (patch % 8) + 6
        for view, (left, top, right, bottom) in enumerate(config.boxes()):
            side = right - left
            from_middle = [abs(x - (left + right) / 2) / (side / 2), abs(y - (top + bottom) / 2) / (side / 2)]
            nearness = float(np.prod([max(0.0, 1 - d) for d in from_middle]))
            expected = coverage[patch, view] * nearness**focus * 24 / side
            assert float(relevance[patch, view]) == pytest.approx(float(expected), abs=1e-5)


@pytest.mark.parametrize("grids", [(1,), (1, 2, 3, 4), (1, 2, 4, 6)])
def test_every_patch_has_a_view_that_says_something_about_it(grids: tuple[int, ...]):
    assert (patch_relevance(ViewsConfig(side=96, grids=grids, overlapping=True), 12, 2.0).sum(dim=1) > 10 * EMPTY).all()
