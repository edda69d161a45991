"""The statistics of votes: intervals, tests, agreement and strengths; pure functions of arrays.

Shapes: Q questions, R raters, N resampled studies, M models.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from jaxtyping import Float, Int

from zeroseg.errors import ConfigError

LEVEL = 0.95  # of all intervals
RESAMPLED = 2000
PENALTY = 1e-4  # keeps strengths finite where a model has won or lost all its votes
NEWTON_STEPS = 50


def wilson(votes: int, of: int, level: float = LEVEL) -> tuple[float, float]:
    """The score interval of a proportion (Wilson 1927), 0 to 1; (0, 1) without votes."""
    if not of:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + level) / 2)
    share, shrunk = votes / of, 1 + z * z / of
    middle = (share + z * z / (2 * of)) / shrunk
    half = z / shrunk * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return max(0.0, middle - half), min(1.0, middle + half)


def exact_test(votes: int, of: int) -> float | None:
    """The two-sided p-value of the exact binomial test against equal preference, a half; None without votes.

    Raises `ConfigError` without SciPy.
    """
    try:
        from scipy.stats import binomtest
    except ImportError as error:
        raise missing("SciPy") from error
    return float(binomtest(votes, of, 0.5).pvalue) if of else None


def krippendorff_alpha(answers: Float[np.ndarray, "R Q"]) -> float | None:
    """Krippendorff's alpha of nominal answers, NaN where a rater has not answered a question.

    1: all agree; 0: they agree as often as by chance. None if it is not defined: without two answers to one question,
    or if all answers are the same. Raises `ConfigError` without the package krippendorff.
    """
    try:
        import krippendorff
    except ImportError as error:
        raise missing("krippendorff") from error
    shared = answers[:, np.isfinite(answers).sum(axis=0) > 1]
    if not shared.size or np.unique(shared[np.isfinite(shared)]).size < 2:
        return None
    return float(krippendorff.alpha(reliability_data=shared, level_of_measurement="nominal"))


def resampled_weights(
    questions: int, raters: int, seed: int = 0, count: int = RESAMPLED
) -> tuple[Int[np.ndarray, "N Q"], Int[np.ndarray, "N R"]]:
    """How often each question and each rater is drawn in each of `count` resampled studies.

    Both are drawn with replacement, independently (the pigeonhole bootstrap: Owen, The Annals of Applied Statistics 1,
    2007). A vote counts as often as the product of both says, so the interval allows for pictures that are easy for one
    model, and for raters who like one; it is a little too wide rather than too narrow.
    """
    draw = np.random.default_rng(seed)
    of_questions = draw.multinomial(questions, np.full(questions, 1 / questions), count)
    return of_questions, draw.multinomial(raters, np.full(raters, 1 / raters), count)


def bootstrap_interval(
    wins: Float[np.ndarray, "R Q"], seed: int = 0, count: int = RESAMPLED, level: float = LEVEL
) -> tuple[float, float]:
    """The percentile interval of a proportion under `resampled_weights`; (0, 1) without votes.

    `wins`: 1 where a rater prefers the first model in a question, 0 the second, NaN without a vote.
    """
    there = np.isfinite(wins)
    if not there.any():
        return 0.0, 1.0
    wins = wins[there.any(axis=1)][:, there.any(axis=0)]
    there = np.isfinite(wins)
    of_questions, of_raters = resampled_weights(wins.shape[1], wins.shape[0], seed, count)
    won = weighted_votes(np.where(there, wins, 0.0), of_questions, of_raters)
    cast = weighted_votes(there.astype(float), of_questions, of_raters)
    shares = won[cast > 0] / cast[cast > 0]
    low, high = np.quantile(shares, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def strengths(wins: Float[np.ndarray, "N M M"], penalty: float = PENALTY) -> Float[np.ndarray, "N M"]:
    """The log strengths of models by Bradley and Terry (Biometrika 39, 1952), with mean 0 in each of the `groups`.

    `wins[n, i, j]`: votes for i against j in study n. The chance that i is preferred to j is the logistic function of
    the difference of their strengths. They maximise the likelihood minus `penalty` times the sum of their squares
    (as `choix.opt_pairwise` does), by Newton's method.
    """
    studies, models = wins.shape[:2]
    played, found = wins + wins.transpose(0, 2, 1), np.zeros((studies, models))
    ridge = 2 * penalty * np.eye(models)
    for _ in range(NEWTON_STEPS):
        expected = 1 / (1 + np.exp(found[:, None, :] - found[:, :, None]))
        slope = (wins - played * expected).sum(axis=2) - 2 * penalty * found
        spread = played * expected * (1 - expected)
        curvature = ridge - spread
        curvature[:, np.arange(models), np.arange(models)] += spread.sum(axis=2)
        step = np.linalg.solve(curvature, slope[..., None])[..., 0]
        found = found + step / np.maximum(1.0, np.abs(step).max(axis=1, keepdims=True))
        if np.abs(step).max() < 1e-10:
            break
    return found - found.mean(axis=1, keepdims=True)


def groups(wins: Float[np.ndarray, "M M"]) -> list[int | None]:
    """For each model the number of its group, from 0: two models share one if a chain of votes leads between them.

    `wins[i, j]`: votes for i against j. None for a model without votes. Strengths in different groups say nothing about
    each other.
    """
    compared, found = (wins + wins.T) > 0, list[int | None]([None] * len(wins))
    count = 0
    for first in range(len(wins)):
        if found[first] is not None or not compared[first].any():
            continue
        waiting = [first]
        while waiting:
            model = waiting.pop()
            found[model] = count
            waiting += [int(other) for other in np.flatnonzero(compared[model]) if found[other] is None]
        count += 1
    return found


def missing(package: str) -> ConfigError:
    """The error for a package that the report needs."""
    return ConfigError(f'the report of a study needs {package}: pip install "zeroseg[study]".')


def weighted_votes(
    votes: Float[np.ndarray, "R Q"], of_questions: Int[np.ndarray, "N Q"], of_raters: Int[np.ndarray, "N R"]
) -> Float[np.ndarray, " N"]:
    """The sum of votes in each resampled study."""
    return ((of_questions @ votes.T) * of_raters).sum(axis=1)
