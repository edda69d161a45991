"""From embeddings to names: each rule by hand, each map against torch's own interpolation at full size."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from zeroseg import scoring

CPU = torch.device("cpu")


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# --- similarities and words -------------------------------------------------------------------------


def test_similarities_are_cosines_times_100():
    regions, words = random(3, 5), random(4, 5, seed=1)
    ours = scoring.similarities(regions, words)
    for r in range(3):
        for w in range(4):
            a, b = regions[r].double().numpy(), words[w].double().numpy()
            assert float(ours[r, w]) == pytest.approx(100 * a @ b / np.linalg.norm(a) / np.linalg.norm(b), abs=1e-4)


def test_best_words_takes_the_best_alias_and_the_best_background_word():
    scores = torch.tensor([[1.0, 5.0, 7.0, 2.0, 9.0, 3.0], [4.0, 1.0, 0.0, -2.0, -5.0, -1.0]])
    class_ids = [0, 1, 0, 2, -1, -1]  # words 0 and 2 are of class 0; the last two are background
    best, background = scoring.best_words(scores, class_ids, classes=3)
    assert best.tolist() == [[7.0, 5.0, 2.0], [4.0, 1.0, -2.0]]  # -2 stays -2: nothing but its words counts
    assert background.tolist() == [9.0, -1.0]


def test_without_background_words_the_background_cannot_win():
    best, background = scoring.best_words(random(2, 3), [0, 1, 2], classes=3)
    assert torch.equal(best, random(2, 3))
    assert background.tolist() == [-math.inf, -math.inf]


# --- GroupViT's score -------------------------------------------------------------------------------


def softmax(values: list[float]) -> list[float]:
    powers = [math.exp(value - max(values)) for value in values]
    return [power / sum(powers) for power in powers]


def test_product_score_by_hand():
    """Softmax over all seven classes times softmax over the five that the image as a whole looks like."""
    scores, image = random(3, 7) * 3, torch.tensor([1.0, 9.0, 8.0, 0.0, 7.0, 6.0, 5.0])
    top = [1, 2, 4, 5, 6]
    ours = scoring.product_score(scores, image)
    for r in range(3):
        row = scores[r].tolist()
        everything, among = softmax(row), softmax([row[c] for c in top])
        for c in range(7):
            expected = everything[c] * among[top.index(c)] if c in top else 0.0
            assert float(ours[r, c]) == pytest.approx(expected, abs=1e-6)


def test_product_score_with_fewer_than_five_classes_is_the_squared_softmax():
    scores = random(4, 3)
    torch.testing.assert_close(scoring.product_score(scores, random(3, seed=1)), scores.softmax(dim=1) ** 2)


@pytest.mark.parametrize("threshold", [0.0, 0.35, 0.95, 5.0])
@pytest.mark.parametrize("sharpness", [0.01, 1.0, 100.0])
def test_threshold_lets_at_least_one_region_live(threshold: float, sharpness: float):
    """GroupViT caps the threshold at the image's own best score."""
    score = scoring.product_score(sharpness * random(8, 6), random(6, seed=1))
    logits = scoring.with_product_background(score, threshold)
    assert torch.equal(logits[:, 1:], score)
    assert bool((logits.argmax(dim=1) > 0).any())
    assert int(logits.argmax()) // 7 == int(score.argmax()) // 6  # the best region is among the living


def test_the_best_region_alone_lives_however_small_all_scores_are():
    """With many labels all scores may be under a millionth; the others are still background."""
    score = torch.tensor([[3e-8, 1e-9], [2.9e-8, 0.0], [0.0, 0.0]])
    assert scoring.with_product_background(score, 0.95).argmax(dim=1).tolist() == [1, 0, 0]


def test_a_score_that_just_reaches_the_threshold_lives():
    """GroupViT: background where the score is smaller."""
    score = torch.tensor([[0.9, 0.0], [0.35, 0.0], [0.3499999, 0.0]])
    assert scoring.with_product_background(score, float(score[1, 0])).argmax(dim=1).tolist() == [1, 1, 0]


def test_threshold_below_the_best_score_stands_as_it_is():
    score = torch.tensor([[0.9, 0.0], [0.3, 0.1], [0.2, 0.34]])
    logits = scoring.with_product_background(score, 0.35)
    assert logits[:, 0].tolist() == pytest.approx([0.35] * 3)
    assert logits.argmax(dim=1).tolist() == [1, 0, 0]


# --- probabilities ----------------------------------------------------------------------------------


def test_probabilities_by_hand():
    """A lead of five points makes a class e times as likely."""
    ours = scoring.probabilities(torch.tensor([[20.0, 25.0, 10.0]]))[0]
    powers = [math.exp(4), math.exp(5), math.exp(2)]
    assert ours.tolist() == pytest.approx([power / sum(powers) for power in powers])


def test_confidence_by_hand():
    """Of four classes one wins two regions, one wins one, one only pixels between regions, one nothing."""
    likely = torch.tensor([[0.6, 0.2, 0.1, 0.1], [0.4, 0.1, 0.3, 0.2], [0.1, 0.7, 0.1, 0.1]])
    logits = torch.tensor([[9.0, 1.0, 2.0, 0.0], [5.0, 0.0, 4.0, 0.0], [0.0, 3.0, 2.0, 0.0]])
    seen = torch.tensor([[0, 0, 2, 1]])
    assert scoring.confidence(likely, logits, seen).tolist() == pytest.approx([0.5, 0.7, 0.3, 0.0])
    hidden = torch.tensor([[0, 0, 2, 0]])  # class 1 wins a region that no pixel shows
    assert scoring.confidence(likely, logits, hidden).tolist() == pytest.approx([0.5, 0.0, 0.3, 0.0])


# --- the margin rule --------------------------------------------------------------------------------


def test_labels_that_are_background_words_keep_the_margin():
    assert scoring.label_offsets(torch.tensor([False, True]), 7.0).tolist() == [0.0, 7.0]


def test_margin_is_what_a_label_must_be_ahead_of_the_best_background_word():
    scores = torch.tensor([[26.0, 20.0], [25.0, 24.9], [10.0, 30.0]])
    background = torch.tensor([24.0, 24.0, 31.0])
    assert scoring.with_margin_background(scores, background, 1.5).argmax(dim=1).tolist() == [1, 0, 0]
    assert scoring.with_margin_background(scores, background, 0.0).argmax(dim=1).tolist() == [1, 1, 0]
    assert scoring.with_margin_background(scores, background, -2.0).argmax(dim=1).tolist() == [1, 1, 2]


def test_margin_without_background_words_is_the_score_to_reach():
    scores = torch.tensor([[26.0, 20.0], [15.0, 24.0]])
    nobody = torch.full((2,), -torch.inf)
    logits = scoring.with_margin_background(scores, nobody, 25.0)
    assert logits.tolist() == [[25.0, 26.0, 20.0], [25.0, 15.0, 24.0]]


# --- maps -------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(cells=st.integers(1, 20), pixels=st.integers(1, 90))
def test_interpolation_is_torchs_bilinear(cells: int, pixels: int):
    line = random(cells, seed=cells)
    expected = F.interpolate(line[None, None], size=pixels, mode="linear", align_corners=False)[0, 0]
    weights = scoring.interpolation(cells, pixels, CPU)
    torch.testing.assert_close(weights @ line, expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(pixels))


def full_size(maps: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """All maps drawn at full size by torch."""
    return F.interpolate(maps[None].double(), size=size, mode="bilinear", align_corners=False)[0]


def assert_wins(class_map: torch.Tensor, large: torch.Tensor, share: float = 1.0) -> None:
    """The chosen class has the highest value, up to rounding, at (nearly) every pixel."""
    chosen = large.gather(0, class_map[None].long())[0]
    assert float((chosen >= large.max(dim=0).values - 1e-4).double().mean()) >= share


def class_map(
    scores: torch.Tensor, grid: tuple[int, int], size: tuple[int, int], strip: int = scoring.STRIP
) -> torch.Tensor:
    """The class map of scores that belong to the cells of a grid, row by row."""
    return scoring.class_map(scores.T.unflatten(1, grid), torch.arange(scores.shape[1]), size, strip)


@settings(max_examples=25, deadline=None)
@given(
    classes=st.integers(1, 9),
    h=st.integers(1, 6),
    w=st.integers(1, 6),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
)
def test_class_map_is_the_naive_argmax(classes: int, h: int, w: int, height: int, width: int):
    scores = random(h * w, classes, seed=h * w)
    ours = class_map(scores, (h, w), (height, width))
    assert ours.shape == (height, width)
    assert_wins(ours, full_size(scores.T.reshape(classes, h, w), (height, width)))


@settings(max_examples=25, deadline=None)
@given(segments=st.integers(1, 8), height=st.integers(1, 40), width=st.integers(1, 40))
def test_class_map_gives_each_pixel_its_segments_class(segments: int, height: int, width: int):
    masks = random(segments, 4, 5, seed=height).softmax(dim=0)
    scores = random(segments, 3, seed=width)
    ours = scoring.class_map(masks, scores.argmax(dim=1), (height, width))
    large = full_size(masks, (height, width))
    by_class = torch.zeros(3, height, width, dtype=torch.float64)  # the highest mask among a class's segments
    for segment, winner in enumerate(scores.argmax(dim=1).tolist()):
        by_class[winner] = torch.maximum(by_class[winner], large[segment])
    assert ours.shape == (height, width)
    assert_wins(ours, by_class)


@pytest.mark.parametrize("classes", [scoring.MANY, scoring.MANY + 1, 300])
def test_many_classes_on_a_small_picture_are_exact(classes: int):
    scores = random(30, classes)
    ours = class_map(scores, (5, 6), (37, 44))
    assert_wins(ours, full_size(scores.T.reshape(classes, 5, 6), (37, 44)))


def test_many_classes_on_a_large_picture_miss_next_to_nothing():
    """Only classes that win somewhere on a preview are drawn at full size: specks between cells may go."""
    scores = random(30, 200)
    size = (150, 213)
    ours = class_map(scores, (5, 6), size)
    assert_wins(ours, full_size(scores.T.reshape(200, 5, 6), size), share=0.995)


def test_class_ids_are_right_when_only_some_classes_win():
    """The winners among many classes keep their own numbers, not their place among the winners."""
    scores = torch.full((4, 100), -5.0)
    for cell, winner in enumerate((99, 7, 42, 65)):
        scores[cell, winner] = 1.0
    ours = class_map(scores, (2, 2), (200, 200))
    assert [int(ours[y, x]) for y, x in ((20, 20), (20, 180), (180, 20), (180, 180))] == [99, 7, 42, 65]


def test_winners_are_the_maps_that_win_somewhere():
    maps = random(12, 3, 4)
    maps[[2, 5]] -= 100
    seen = set(full_size(maps, (24, 32)).argmax(dim=0).unique().tolist())
    assert scoring.winners(maps, (24, 32)).tolist() == sorted(seen)
    assert set(scoring.winners(maps, (240, 320)).tolist()) == seen  # a large picture is looked at small
    assert not seen & {2, 5}


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(1, 4), st.integers(1, 4), st.integers(1, 6), st.integers(0, 2**31))
def test_no_map_that_wins_somewhere_is_taken_out(count: int, h: int, w: int, high: int, seed: int):
    """Not by one grid cell, an edge, or a tie: of small whole numbers, interpolated exactly, sixteen pixels a cell."""
    values = np.random.default_rng(seed).integers(0, high, (count, h, w))
    maps = torch.from_numpy(values).float()
    winners = full_size(maps, (16 * h, 16 * w)).argmax(dim=0).unique().tolist()
    assert set(winners) <= set(scoring.contenders(maps).tolist())


def test_maps_that_are_low_everywhere_are_taken_out():
    """Also at the border of two areas, where each of the high maps is low on one side."""
    maps = random(300, 6, 8).sigmoid() * 0.02
    maps[17, :, :4] = maps[170, :, 4:] = 0.5
    assert scoring.contenders(maps).tolist() == [17, 170]


def test_strips_change_nothing():
    """Large pictures are drawn strip by strip so that memory stays small."""
    scores = random(12, 5)
    whole = class_map(scores, (3, 4), (61, 47))
    for strip in (1, 5 * 47, 5 * 47 * 7):
        assert torch.equal(class_map(scores, (3, 4), (61, 47), strip), whole)


@settings(max_examples=40, deadline=None)
@given(
    h=st.integers(1, 12),
    w=st.integers(1, 12),
    height=st.integers(1, 60),
    width=st.integers(1, 30),
    rows=st.integers(1, 9),
)
def test_the_cells_near_a_strip_are_enough(h: int, w: int, height: int, width: int, rows: int):
    """Strips do not read all cells."""
    scores = random(h * w, 3, seed=h * w)
    ours = class_map(scores, (h, w), (height, width), 3 * width * rows)
    assert_wins(ours, full_size(scores.T.reshape(3, h, w), (height, width)))


@pytest.mark.parametrize("wide", [1, 15 * 5, 15 * 20])
def test_columns_change_nothing(wide: int, monkeypatch: pytest.MonkeyPatch):
    """Very wide pictures are drawn some columns at a time, too."""
    scores = random(12, 5)
    whole = class_map(scores, (3, 4), (61, 47))
    monkeypatch.setattr("zeroseg.scoring.WIDE", wide)
    for strip in (1, 5 * 7, scoring.STRIP):
        assert torch.equal(class_map(scores, (3, 4), (61, 47), strip), whole)


def test_a_class_map_has_numbers_of_16_bits_if_they_fit():
    maps = random(2, 3, 4)
    for highest, kind in ((2**15 - 1, torch.int16), (2**15, torch.int32)):
        drawn = scoring.class_map(maps, torch.tensor([0, highest]), (9, 8))
        assert drawn.dtype == kind
        assert drawn.unique().tolist() == [0, highest]


def test_softmax_score_is_a_softmax_over_all_words_at_its_scale():
    similarities = torch.tensor([[30.0, 20.0, 10.0]])
    weights = [math.exp(65 * cosine) for cosine in (0.3, 0.2, 0.1)]
    expected = [weight / sum(weights) for weight in weights]
    assert scoring.softmax_score(similarities, 65.0)[0].tolist() == pytest.approx(expected)


def test_sigmoid_score_is_half_way_at_a_cosine_of_a_quarter():
    scores = scoring.sigmoid_score(torch.tensor([[25.0, 35.0]]), 10.0, 0.25)[0].tolist()
    assert scores == pytest.approx([0.5, 1 / (1 + math.exp(-1.0))])


def test_background_is_the_best_background_word_or_the_level():
    logits = scoring.with_level_background(torch.tensor([[0.3], [0.05]]), torch.tensor([0.4, -torch.inf]), 0.1)
    torch.testing.assert_close(logits, torch.tensor([[0.4, 0.3], [0.1, 0.05]]))
