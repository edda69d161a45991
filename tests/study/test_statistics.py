"""The statistics against other implementations and published values, and intervals that hold what they say."""

import builtins

import choix
import numpy as np
import pytest
from scipy.stats import binom, binomtest

from zeroseg.errors import ConfigError
from zeroseg.study.statistics import bootstrap_interval, exact_test, groups, krippendorff_alpha, strengths, wilson

PAPER = 677, 1000  # votes for the proposed method: arXiv 2306.00450, table 2
NAN = np.nan


@pytest.mark.parametrize(("votes", "of"), [PAPER, (0, 5), (5, 5), (1, 2), (135, 200), (3, 10_000)])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_wilson_and_the_exact_test_are_those_of_scipy(votes: int, of: int, level: float):
    reference = binomtest(votes, of)
    interval = reference.proportion_ci(level, method="wilson")
    assert wilson(votes, of, level) == pytest.approx((interval.low, interval.high), abs=1e-12)
    assert exact_test(votes, of) == pytest.approx(reference.pvalue)


def test_the_papers_votes():
    low, high = wilson(*PAPER)
    assert (round(low, 4), round(high, 4)) == (0.6474, 0.7053)
    assert (exact_test(*PAPER) or 1) < 1e-20


def test_without_votes_nothing_is_known():
    assert wilson(0, 0) == (0, 1)
    assert exact_test(0, 0) is None
    assert bootstrap_interval(np.full((3, 4), NAN)) == (0, 1)
    assert bootstrap_interval(np.zeros((0, 4))) == (0, 1)
    assert krippendorff_alpha(np.full((3, 4), NAN)) is None
    assert krippendorff_alpha(np.ones((3, 4))) is None
    assert krippendorff_alpha(np.array([[1, NAN], [NAN, 0]])) is None


def test_the_published_examples_of_alpha():
    """Krippendorff, Computing Krippendorff's Alpha-Reliability (2011): A, two observers; C, with missing values."""
    two = [[0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]]
    assert krippendorff_alpha(np.array(two, float)) == pytest.approx(0.095, abs=5e-4)
    four = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
        [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
    ]
    assert krippendorff_alpha(np.array(four)) == pytest.approx(0.743, abs=5e-4)


def test_strengths_are_those_of_choix():
    draw = np.random.default_rng(0)
    wins = draw.integers(0, 30, (3, 4, 4)).astype(float)
    wins[:, np.arange(4), np.arange(4)] = 0
    wins[2, 0], wins[2, :, 0] = 9, 0  # a model that wins always
    wins[2, 0, 0] = 0
    for penalty in (1e-4, 0.1):
        for study, found in zip(wins, strengths(wins, penalty), strict=True):
            data = [(i, j) for i in range(4) for j in range(4) for _ in range(int(study[i, j]))]
            expected = choix.opt_pairwise(4, data, alpha=penalty)
            np.testing.assert_allclose(found, expected - expected.mean(), atol=2e-3)


def test_strengths_of_two_models_are_the_log_odds():
    (found,) = strengths(np.array([[[0, 677.0], [323.0, 0]]]), penalty=1e-9)
    assert found[0] - found[1] == pytest.approx(np.log(677 / 323))


def test_wilson_holds_its_level_in_simulated_studies():
    """40 pictures, 5 raters, the paper's preference: the interval has the truth in 95 % of studies."""
    truth, studies, of = 0.677, 4000, 200
    won = np.random.default_rng(1).binomial(of, truth, studies)
    intervals = [wilson(int(votes), of) for votes in won]
    held = np.mean([low <= truth <= high for low, high in intervals])
    assert 0.93 <= held <= 0.97
    counts = np.arange(of + 1)
    covered = np.array([low <= truth <= high for low, high in (wilson(int(k), of) for k in counts)])
    assert 0.93 <= binom.pmf(counts, of, truth)[covered].sum() <= 0.97


def test_the_bootstrap_holds_its_level_where_pictures_differ_and_wilson_does_not():
    """Votes on a picture are alike (a picture is easy for one model), so 200 votes are fewer than they seem."""
    truth, studies = 0.677, 400
    draw = np.random.default_rng(2)
    of_pictures = draw.beta(truth, 1 - truth, (studies, 1, 40))  # as different as half of the variance of a vote
    votes = (draw.random((studies, 5, 40)) < of_pictures).astype(float)
    resampled = [bootstrap_interval(wins, seed, 400) for seed, wins in enumerate(votes)]
    alone = [wilson(int(wins.sum()), wins.size) for wins in votes]
    held, held_alone = (np.mean([low <= truth <= high for low, high in found]) for found in (resampled, alone))
    assert 0.93 <= held <= 0.99
    assert held_alone < 0.85


@pytest.mark.parametrize(("raters", "least", "most"), [(5, 0.84, 0.93), (20, 0.92, 0.99)])
def test_few_raters_who_differ_make_intervals_too_narrow(raters: int, least: float, most: float):
    """Five say too little of how people differ, twenty enough; Wilson's interval does not know it at all."""
    truth, studies = 0.677, 400
    draw = np.random.default_rng(0)
    of_raters = draw.beta(4 * truth, 4 * (1 - truth), (studies, raters, 1))  # a fifth of the variance of a vote
    votes = (draw.random((studies, raters, 40)) < of_raters).astype(float)
    resampled = [bootstrap_interval(wins, seed, 500) for seed, wins in enumerate(votes)]
    alone = [wilson(int(wins.sum()), wins.size) for wins in votes]
    held, held_alone = (np.mean([low <= truth <= high for low, high in found]) for found in (resampled, alone))
    assert least <= held <= most
    assert held_alone < 0.6


def test_the_bootstrap_is_the_naive_one():
    """Against resampling with loops."""
    draw = np.random.default_rng(3)
    wins = (draw.random((6, 40)) < 0.6).astype(float)
    wins[draw.random(wins.shape) < 0.2] = NAN
    shares = []
    for _ in range(3000):
        rows, columns = draw.integers(0, 6, 6), draw.integers(0, 40, 40)
        shares.append(np.nanmean(wins[rows][:, columns]))
    assert bootstrap_interval(wins) == pytest.approx(tuple(np.quantile(shares, [0.025, 0.975])), abs=0.02)


@pytest.mark.parametrize("package", ["scipy.stats", "krippendorff"])
def test_a_missing_package_is_one_sentence(package: str, monkeypatch: pytest.MonkeyPatch):
    real = builtins.__import__

    def without(name: str, *others: object, **named: object) -> object:
        if name == package:
            raise ImportError(name)
        return real(name, *others, **named)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigError, match=r'pip install "zeroseg\[study\]"'):
        _ = exact_test(1, 2) if package == "scipy.stats" else krippendorff_alpha(np.array([[0.0, 1], [1, 1]]))


@pytest.mark.parametrize(
    ("votes", "expected"),
    [
        ([], [None] * 5),
        ([(0, 1), (3, 4)], [0, 0, None, 1, 1]),
        ([(4, 0), (0, 2), (1, 3)], [0, 1, 0, 1, 0]),
        ([(0, 1), (2, 1), (3, 2), (4, 3)], [0] * 5),
    ],
)
def test_groups_are_what_chains_of_votes_connect(votes: list[tuple[int, int]], expected: list[int | None]):
    """Whoever wins: a single vote connects two models."""
    wins = np.zeros((5, 5))
    for winner, loser in votes:
        wins[winner, loser] += 1
    assert groups(wins) == expected
