"""The order of the authors' code: against loops over single pixels, and in the one example where orders disagree."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from tests.tiny import PATCH_STUDENT, photo, student, teacher
from zeroseg.baselines import DenseReadOut
from zeroseg.encoding import Encoded, Size, StudentEncoder, WordEmbedder
from zeroseg.evaluation import sliding as order
from zeroseg.evaluation.sliding import Sliding, SlidingSegmenter, named, padded, rescaled_size, resized, windows_of
from zeroseg.images import to_tensor
from zeroseg.refine import refine
from zeroseg.rules import BackgroundRule, NoBackground, Sigmoid, Softmax
from zeroseg.segmenter import Segmenter
from zeroseg.student.config import ReadOut
from zeroseg.vocabulary import Vocabulary

Array = np.ndarray
WORDS = Vocabulary(("dog", "cat"), (("hound",), ()), background=("sky",), templates=("{}",))
CELL = 8


def segmenter(
    sliding: Sliding, rule: BackgroundRule, refinement: int = 0, encoder: Any = None, naming: Any = "patches"
) -> SlidingSegmenter:
    encoder = encoder or DenseReadOut(teacher(), 32, "maskclip")
    return SlidingSegmenter(encoder, teacher(), ReadOut(naming, rule, refinement=refinement), None, sliding)


# --- a naive bilinear interpolation, pixel by pixel, in float64 --------------------------------------


def at(grid: Array, row: float, column: float) -> Array:
    """A grid (h w M) between its cells; beyond the centres of the outer cells it is theirs."""
    row, column = min(max(row, 0), len(grid) - 1), min(max(column, 0), len(grid[0]) - 1)
    top, left = int(row), int(column)
    bottom, right = min(top + 1, len(grid) - 1), min(left + 1, len(grid[0]) - 1)
    down, across = row - top, column - left
    upper = (1 - across) * grid[top][left] + across * grid[top][right]
    lower = (1 - across) * grid[bottom][left] + across * grid[bottom][right]
    return (1 - down) * upper + down * lower


def stretched(grid: Array, height: int, width: int) -> Array:
    """A grid (h w M) at the centres of height x width pixels."""
    h, w = len(grid), len(grid[0])
    return np.array(
        [
            [at(grid, (y + 0.5) * h / height - 0.5, (x + 0.5) * w / width - 0.5) for x in range(width)]
            for y in range(height)
        ]
    )


def cosines(model: Segmenter, window: Tensor) -> Array:
    """Cosines (h w W) of a window's patches with the words."""
    words, _ = model.embed(WORDS)
    unit = torch.nn.functional.normalize(words, dim=-1).double().numpy()
    (encoded,) = model.encoder.encode(window[None], [(1, 1)])
    assert encoded.patches is not None
    patches = encoded.patches.double().numpy()
    patches = patches / np.linalg.norm(patches, axis=1, keepdims=True)
    return (patches @ unit.T).reshape(*encoded.grid, -1)


def in_bytes(picture: Image.Image, height: int, width: int) -> Tensor:
    """The picture, resized bilinearly pixel by pixel and rounded to bytes, as 0..1 (3 H W)."""
    small = stretched(np.asarray(picture, np.float64), height, width).round() / 255
    return torch.from_numpy(small).permute(2, 0, 1).float()


# --- the order of the steps --------------------------------------------------------------------------


class TwoCells:
    """Two cells whose cosines with three words are given: embeddings in the basis of the words."""

    shorter_side, multiple = 1, 1

    def encode(self, pixels: Float[Tensor, "B 3 H W"], sizes: Sequence[Size]) -> list[Encoded]:
        assert len(pixels) == len(sizes)
        rest = [(1 - sum(value**2 for value in row)) ** 0.5 for row in ((0.3, 0.32, 0.2), (0.3, 0.2, 0.4))]
        patches = torch.tensor([[0.3, 0.32, 0.2, rest[0]], [0.3, 0.2, 0.4, rest[1]]])
        return [Encoded(patches.mean(dim=0), patches, None, None, torch.zeros(4), (1, 2), size) for size in sizes]


class AxisWords(WordEmbedder):
    """Background, first and second label are the first three axes."""

    def __call__(self, words: Sequence[str], templates: Sequence[str]) -> Float[Tensor, "W D"]:
        assert templates == ("{}",)
        return torch.eye(4)[[("sky", "dog", "cat").index(word) for word in words]]


def test_softmax_after_interpolation_and_before_give_different_labels():
    """Cosines .30 .32 .20 and .30 .20 .40 (background, two labels), times 40, to 8 pixels: as SCLIP's code has it."""
    words, rule = AxisWords(teacher()), Softmax(0.1, 40.0)
    model = SlidingSegmenter(TwoCells(), teacher(), ReadOut("patches", rule), words, Sliding())
    vocabulary = Vocabulary(("dog", "cat"), background=("sky",), templates=("{}",))
    picture = Image.new("RGB", (8, 1))
    last = model(picture, vocabulary).class_map[0].tolist()
    first = Segmenter(TwoCells(), teacher(), model.read_out, words)
    before = first.name(TwoCells().encode(torch.zeros(1, 3, 1, 2), [(1, 8)])[0], vocabulary)
    assert last == expected_labels(after=True)
    assert before.class_map[0].tolist() == expected_labels(after=False)
    assert last != before.class_map[0].tolist()


def expected_labels(after: bool) -> list[int]:
    left, right = np.array([0.30, 0.32, 0.20]), np.array([0.30, 0.20, 0.40])

    def softmax(values: Array) -> Array:
        powers = np.exp(40 * values)
        return powers / powers.sum()

    labels: list[int] = []
    for x in range(8):
        share = min(max((x + 0.5) / 4 - 0.5, 0), 1)
        mixed = softmax((1 - share) * left + share * right)
        averaged = (1 - share) * softmax(left) + share * softmax(right)
        labels.append(int(np.argmax(mixed if after else averaged)))
    return labels


class Column:
    """Ten cells, one above the other: the first label wins in the first, the second in the others."""

    shorter_side, multiple = 1, 1

    def encode(self, pixels: Float[Tensor, "B 3 H W"], sizes: Sequence[Size]) -> list[Encoded]:
        assert len(pixels) == len(sizes)
        patches = torch.tensor([[0.3, 0.6, 0.1, 0.7348], *[[0.1, 0.1, 0.6, 0.7874]] * 9])
        return [Encoded(patches.mean(dim=0), patches, None, None, torch.zeros(4), (10, 1), size) for size in sizes]


@pytest.mark.parametrize(("area", "top"), [(0.0, 1), (0.09, 1), (0.1, 0)])
def test_areas_are_counted_over_the_whole_picture(area: float, top: int, monkeypatch: pytest.MonkeyPatch):
    """SCLIP's on VOC21: a label of two rows of twenty is small at .1, though it has every pixel of a strip."""
    monkeypatch.setattr(order, "named", partial(named, strip=1))
    read_out = ReadOut("patches", Softmax(0.1, 40.0, area))
    model = SlidingSegmenter(Column(), teacher(), read_out, AxisWords(teacher()), Sliding())
    vocabulary = Vocabulary(("dog", "cat"), background=("sky",), templates=("{}",))
    labels = model(Image.new("RGB", (1, 20)), vocabulary).class_map[:, 0].tolist()
    assert labels == [top] * 2 + [2] * 18


SIZE = (26, 37)  # of the resized picture: no multiples of 8


@pytest.mark.parametrize(
    ("window", "stride", "pads"), [(16, 10, True), (20, 12, True), (20, 12, False), (None, None, False)]
)
@pytest.mark.parametrize("refinement", [0, 2])
def test_scores_last_is_a_loop_over_pixels(window: int | None, stride: int | None, pads: bool, refinement: int):
    """SCLIP's, NACLIP's and ClearCLIP's order: windows at any pixel, cosines averaged, enlarged, refined, softmax."""
    picture = photo(47, 33)
    sliding = Sliding(26, window, stride, pads=pads, dilations=(1, 3))
    model = segmenter(sliding, Softmax(0.34, 20.0), refinement)
    pixels = in_bytes(picture, *SIZE)
    total, times = np.zeros((*SIZE, 4)), np.zeros((*SIZE, 1))
    side = (min(window or 999, SIZE[0]), min(window or 999, SIZE[1]))
    tops = sorted({min(top, SIZE[0] - side[0]) for top in range(0, SIZE[0], stride or 999)})
    lefts = sorted({min(left, SIZE[1] - side[1]) for left in range(0, SIZE[1], stride or 999)})
    for top in tops:
        for left in lefts:
            part = pixels[:, top : top + side[0], left : left + side[1]]
            if pads:
                extra = [-length % CELL for length in side]
                whole = teacher().mean.view(3, 1, 1).expand(3, side[0] + extra[0], side[1] + extra[1]).clone()
                above, before = extra[0] // 2, extra[1] // 2
                whole[:, above : above + side[0], before : before + side[1]] = part
                found = stretched(cosines(model, whole), *whole.shape[1:])
                found = found[above : above + side[0], before : before + side[1]]
            else:
                seen = part[:, : side[0] // CELL * CELL, : side[1] // CELL * CELL]
                found = stretched(cosines(model, seen), *side)
            total[top : top + side[0], left : left + side[1]] += found
            times[top : top + side[0], left : left + side[1]] += 1
    maps = stretched(total / times, picture.height, picture.width)
    if refinement:
        guide = torch.from_numpy(stretched(pixels.permute(1, 2, 0).double().numpy(), picture.height, picture.width))
        tensor = torch.from_numpy(maps).permute(2, 0, 1)
        maps = refine(tensor, guide.permute(2, 0, 1), refinement, (1, 3)).permute(1, 2, 0).double().numpy()
    powers = np.exp(20 * maps)
    probabilities = powers / powers.sum(axis=2, keepdims=True)
    _, ids = model.embed(WORDS)
    assert ids == [0, 1, 0, -1]
    classes = np.stack(
        [probabilities[..., 3], np.maximum(probabilities[..., 0], probabilities[..., 2]), probabilities[..., 1]], axis=2
    )
    expected = np.where(classes.max(axis=2) < 0.34, 0, classes.argmax(axis=2))
    ours = model(picture, WORDS).class_map
    assert (ours != expected).mean() < 0.002  # single pixels of equal scores
    assert len(np.unique(expected)) == 3


@pytest.mark.parametrize("refinement", [0, 2])
@pytest.mark.parametrize("has_background", [True, False])
def test_scores_first_is_a_loop_over_pixels(refinement: int, has_background: bool):
    """TCL's order: sigmoids on the patches, refined at four cells a patch in each window, enlarged, averaged."""
    picture, scores = photo(47, 33), Sigmoid(0.49, slope=10.0, middle=0.0)
    sliding = Sliding(26, 16, 10, scores=scores)
    model = segmenter(sliding, scores if has_background else NoBackground(), refinement)
    pixels = in_bytes(picture, *SIZE)
    total, times = np.zeros((*SIZE, 2)), np.zeros((*SIZE, 1))
    for top in (0, 10):
        for left in (0, 10, 20, 21):
            part = pixels[:, top : top + 16, left : left + 16]
            of_words = 1 / (1 + np.exp(-10 * cosines(model, part)))
            grid = np.stack([np.maximum(of_words[..., 0], of_words[..., 2]), of_words[..., 1]], axis=2)
            if refinement:
                fine = stretched(grid, 4 * len(grid), 4 * len(grid[0]))  # TCL's maps: 112 cells for 28 patches
                guide = torch.nn.functional.interpolate(part[None], fine.shape[:2], mode="bilinear", align_corners=True)
                refined = refine(torch.from_numpy(fine).permute(2, 0, 1), guide[0], refinement)
                grid = refined.permute(1, 2, 0).double().numpy()
            total[top : top + 16, left : left + 16] += stretched(grid, 16, 16)
            times[top : top + 16, left : left + 16] += 1
    maps = stretched(total / times, picture.height, picture.width)
    best = maps.argmax(axis=2)
    expected = np.where(maps.max(axis=2) <= 0.49, 0, best + 1) if has_background else best
    words = replace(WORDS, background=())
    ours = model(picture, words).class_map
    assert (ours != expected).mean() < 0.002
    assert len(np.unique(expected)) == 2 + has_background


def test_by_segment_a_patch_says_what_its_segment_does():
    encoder, picture = StudentEncoder(student(PATCH_STUDENT)), photo(32, 32)
    sliding = Sliding(32)
    by_segment = segmenter(sliding, NoBackground(), encoder=encoder, naming="segments")
    words, _ = by_segment.embed(WORDS)
    (encoded,) = encoder.encode(resized(to_tensor(picture), (32, 32))[None], [(4, 4)])
    assert encoded.masks is not None
    found = encoded.similarities(words, by_segment.read_out)[:-1]
    best = torch.stack([found[:, [0, 2]].amax(dim=1), found[:, 1]], dim=1).argmax(dim=1)
    on_the_grid = best[encoded.masks.argmax(dim=0)].numpy()
    slid = by_segment.encode(picture)
    assert (by_segment.name(replace(slid, size=(4, 4)), replace(WORDS, background=())).class_map == on_the_grid).all()


@pytest.mark.parametrize("strip", [1, 200, 10_000])
def test_strips_are_the_whole_and_the_score_of_a_class_is_its_mean_probability(strip: int):
    maps = torch.randn(4, 5, 7, generator=torch.Generator().manual_seed(0))
    for size in ((23, 31), (5, 7)):
        ids, score = named(maps, size, lambda rows: (rows, rows.softmax(dim=1)), 4, strip=strip)
        grid = stretched(maps.permute(1, 2, 0).double().numpy(), *size)
        powers = np.exp(grid)
        likely = powers / powers.sum(axis=2, keepdims=True)
        assert (ids.numpy() == grid.argmax(axis=2)).all()
        for k in range(4):
            won = grid.argmax(axis=2) == k
            assert float(score[k]) == pytest.approx(likely[..., k][won].mean() if won.any() else 0.0, abs=1e-5)


# --- sizes, windows, padding -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("height", "width", "side", "expected"),
    [
        (375, 500, 336, (336, 448)),
        (333, 500, 336, (336, 505)),  # 504.504..
        (500, 333, 336, (505, 336)),
        (100, 1000, 336, (205, 2048)),  # the longer side is at most 2048
        (1024, 2048, 560, (560, 1120)),
        (5, 7, 448, (448, 627)),
    ],
)
def test_sizes_are_those_of_mmcv(height: int, width: int, side: int, expected: Size):
    assert rescaled_size(height, width, side) == expected


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 30), st.integers(1, 30))
def test_windows_cover_every_pixel_and_stay_inside(height: int, width: int, window: int, stride: int):
    stride, seen = min(stride, window), np.zeros((height, width), int)
    for top, left, (down, across) in windows_of(height, width, window, stride):
        assert 0 <= top <= top + down <= height
        assert 0 <= left <= left + across <= width
        seen[top : top + down, left : left + across] += 1
    assert seen.min() >= 1


@given(st.integers(1, 40), st.integers(1, 40))
def test_padding_is_even_and_of_the_mean_colour(height: int, width: int):
    pixels, colour = torch.rand(3, height, width), torch.tensor([0.1, 0.2, 0.3])
    whole, (left, top) = padded(pixels, CELL, colour.view(3, 1, 1))
    assert whole.shape[1] % CELL == whole.shape[2] % CELL == 0
    torch.testing.assert_close(whole[:, top : top + height, left : left + width], pixels)
    assert (top, left) == ((-height % CELL) // 2, (-width % CELL) // 2)
    outside = torch.ones(whole.shape[1:], dtype=torch.bool)
    outside[top : top + height, left : left + width] = False
    torch.testing.assert_close(whole[:, outside], colour[:, None].expand(3, int(outside.sum())))


def test_resizing_is_without_antialiasing_and_in_bytes():
    picture = photo(40, 30)
    ours = resized(to_tensor(picture), (11, 17))
    assert float((ours - in_bytes(picture, 11, 17)).abs().max()) <= 1 / 255 + 1e-6  # a half may round either way
    torch.testing.assert_close(255 * ours, (255 * ours).round(), atol=1e-4, rtol=0)


@pytest.mark.parametrize("pads", [True, False])
@pytest.mark.parametrize("size", [(300, 1), (1, 300), (3, 3)])
def test_pictures_thinner_than_a_patch_are_segmented(pads: bool, size: tuple[int, int]):
    """At most 2048 pixels long, they may be less than a patch wide: then they are padded in any case."""
    sliding = Sliding(4, 16, 8, pads=pads)
    model = segmenter(sliding, Softmax(0.1, 40.0))
    assert model(photo(*size), WORDS).size == size
