"""Dense targets from windows: against loops over windows, cells and patches; where windows begin; what is refused."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.tiny import pixels_of, siglip_teacher, teacher
from zeroseg.baselines import DenseReadOut
from zeroseg.errors import ConfigError
from zeroseg.images import resize
from zeroseg.teacher import Teacher
from zeroseg.training.dense_targets import DenseTargets, Sight, WindowsConfig, smoothed, window_starts

WINDOWS = WindowsConfig(side=16, stride=6)
KINDS = pytest.mark.parametrize("kind", [teacher, siglip_teacher], ids=["clip", "siglip"])


def shared(a: float, b: float, low: float, high: float) -> float:
    return max(0.0, min(b, high) - max(a, low))


@KINDS
@pytest.mark.parametrize(("grid", "shift"), [(4, 0), (4, 5), (3, 2)])
def test_a_patch_has_the_mean_of_the_cells_that_overlap_it_by_their_area(
    kind: Callable[[], Teacher], grid: int, shift: int
):
    """Window by window and cell by cell; every second window is embedded flipped, and its cells are flipped back."""
    images = pixels_of(32, 32, 2)
    read_out, patch = DenseReadOut(kind(), 16, "naclip"), 32 / grid
    total, weight = np.zeros((2, grid, grid, kind().width)), np.zeros((grid, grid))
    starts = sorted({0, 16, *range(shift, 17, 6)})
    for number, (top, left) in enumerate((top, left) for top in starts for left in starts):
        window = images[:, :, top : top + 16, left : left + 16]
        flipped = number % 2 == 1
        cells = F.normalize(read_out.patches(window.flip(-1) if flipped else window), dim=-1).view(2, 2, 2, -1)
        for row in range(2):
            for column in range(2):
                cell = cells[:, row, 1 - column if flipped else column].double().numpy()
                y, x = top + 8 * row, left + 8 * column
                for p in range(grid):
                    for q in range(grid):
                        area = shared(y, y + 8, p * patch, (p + 1) * patch)
                        area *= shared(x, x + 8, q * patch, (q + 1) * patch)
                        total[:, p, q] += area * cell
                        weight[p, q] += area
    ours = DenseTargets(kind(), WINDOWS, grid)(images, Sight(shift, (1.0,)))
    np.testing.assert_allclose(ours, (total / weight[..., None]).reshape(2, grid * grid, -1), atol=1e-5)
    assert float(ours.std(dim=1).mean()) > 0.01


def test_a_flipped_picture_has_flipped_targets_on_average_only():
    """Flips are of single windows: the targets of a picture and of its mirror image are near, and not equal."""
    images, targets = pixels_of(32, 32), DenseTargets(teacher(), WINDOWS, 4)
    there, back = targets(images).view(4, 4, -1), targets(images.flip(-1)).view(4, 4, -1).flip(1)
    near = F.cosine_similarity(there, back, dim=-1).mean()
    other = F.cosine_similarity(there, back.flip(0), dim=-1).mean()
    assert other < near < 1


def test_targets_take_no_gradient_and_can_be_learnt_from():
    """The teacher works in inference mode: what comes of it must still go into a loss."""
    targets = DenseTargets(teacher(), WINDOWS, 4)(pixels_of(32, 32))
    ours = torch.zeros_like(targets).requires_grad_()
    ((ours - targets) ** 2).sum().backward()
    assert ours.grad is not None
    assert not targets.requires_grad


def test_windows_move_from_step_to_step_unless_they_are_to_stay():
    generator = torch.Generator().manual_seed(0)
    targets = DenseTargets(teacher(), WINDOWS, 4)
    assert {targets.draw(generator) for _ in range(60)} == {Sight(shift, (1.0,)) for shift in range(6)}
    fixed = DenseTargets(teacher(), WindowsConfig(16, 6, moved=False, scales=(1.0, 2.0)), 4)
    assert {fixed.draw(generator) for _ in range(9)} == {Sight(0, (1.0, 2.0))}
    images = pixels_of(32, 32)
    assert not torch.equal(targets(images), targets(images, Sight(3, (1.0,))))


def test_at_another_scale_the_same_windows_are_read_at_another_size():
    """One window, the whole picture: its targets are the read-out of the resized picture, cell by cell, or between."""
    images, by = pixels_of(32, 32, 2), teacher()
    targets = DenseTargets(by, WindowsConfig(32, 6, "maskclip", moved=False, scales=(0.5, 1.0, 2.0)), 4)
    read = DenseReadOut(by, 32, "maskclip").patches
    twice = F.normalize(read(resize(images, (64, 64))), dim=-1).view(2, 4, 2, 4, 2, -1).mean(dim=(2, 4)).flatten(1, 2)
    torch.testing.assert_close(targets(images, Sight(0, (2.0,))), twice, atol=1e-5, rtol=0)
    half = F.normalize(read(resize(images, (16, 16))), dim=-1).view(2, 2, 2, -1)
    rows = torch.stack([half[:, 0], 0.75 * half[:, 0] + 0.25 * half[:, 1], 0.25 * half[:, 0] + 0.75 * half[:, 1],
                        half[:, 1]], dim=1)  # fmt: skip
    left, right = rows[:, :, 0], rows[:, :, 1]
    between = torch.stack([left, 0.75 * left + 0.25 * right, 0.25 * left + 0.75 * right, right], dim=2)
    torch.testing.assert_close(targets(images, Sight(0, (0.5,))), between.flatten(1, 2), atol=1e-5, rtol=0)
    single = [targets(images, Sight(0, (scale,))) for scale in (0.5, 1.0, 2.0)]
    torch.testing.assert_close(targets(images), torch.stack(single).mean(dim=0))


def test_every_step_draws_one_of_the_scales():
    generator = torch.Generator().manual_seed(0)
    targets = DenseTargets(teacher(), WindowsConfig(32, 1, scales=(0.5, 1.0, 2.0)), 4)
    assert {targets.draw(generator) for _ in range(60)} == {Sight(0, (scale,)) for scale in (0.5, 1.0, 2.0)}


def test_smoothed_targets_are_means_of_what_looks_alike():
    """Against a loop in float64; at a low temperature a patch has the mean of the patches that are equal to it."""
    generator = torch.Generator().manual_seed(0)
    targets = torch.randn(2, 5, 3, generator=generator)
    units = (targets / targets.norm(dim=-1, keepdim=True)).double().numpy()
    for number, image in enumerate(units):
        for patch, unit in enumerate(image):
            weights = np.exp(image @ unit / 0.3)
            expected = (weights[:, None] * image).sum(axis=0) / weights.sum()
            np.testing.assert_allclose(smoothed(targets, 0.3)[number, patch], expected, atol=1e-5)
    apart = torch.tensor([[[2.0, 0.0], [0.5, 0.0], [0.0, 1.0]]])
    torch.testing.assert_close(smoothed(apart, 0.01), torch.tensor([[[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]]))
    images = pixels_of(32, 32)
    plain, soft = (DenseTargets(teacher(), replace(WINDOWS, smoothing=t), 4)(images) for t in (0.0, 0.2))
    torch.testing.assert_close(soft, smoothed(plain, 0.2))


def test_windows_cover_the_picture_whatever_their_shift():
    for shift in range(24):
        starts = window_starts(448, 224, 24, shift)
        assert (starts[0], starts[-1]) == (0, 224)
        assert max(b - a for a, b in pairwise(starts)) <= 24
        assert len(starts) ** 2 <= WindowsConfig().count(448)
    assert WindowsConfig().count(448) == 12**2
    assert window_starts(32, 32, 6) == [0]


def test_windows_that_leave_gaps_or_do_not_fit_are_refused():
    with pytest.raises(ConfigError, match="every 1 to 16 pixels"):
        WindowsConfig(side=16, stride=17)
    with pytest.raises(ConfigError, match="do not fit"):
        WindowsConfig(side=48, stride=6).check(32, 8)
    with pytest.raises(ConfigError, match="multiple of the patch"):
        WindowsConfig(side=16, stride=8).check(32, 8)
    WindowsConfig(side=32, stride=8).check(32, 8)  # one window, which has no stride
    for scales in ((), (0.0,), (1.0, -1.0), (float("nan"),), (9.0,)):
        with pytest.raises(ConfigError, match="scales of windows must be numbers over 0, at most 8"):
            WindowsConfig(scales=scales)
    with pytest.raises(ConfigError, match="smoothing of windows must be 0 or more"):
        WindowsConfig(smoothing=-0.1)
    with pytest.raises(ConfigError, match="multiple of 8 pixels"):
        DenseTargets(teacher(), WindowsConfig(side=20, stride=6), 4)
