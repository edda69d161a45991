"""What the votes of a study come to: who passed the checks, how each pair of models did, and the strengths of all.

Shapes: Q questions, R raters, N resampled studies, M models.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from jaxtyping import Float

from zeroseg.study.answers import Vote
from zeroseg.study.questions import Key
from zeroseg.study.statistics import (
    LEVEL,
    bootstrap_interval,
    exact_test,
    groups,
    krippendorff_alpha,
    resampled_weights,
    strengths,
    weighted_votes,
    wilson,
)

PASSING = 0.8  # the fraction of attention checks that a rater must answer rightly
Interval = tuple[float, float]


@dataclass(frozen=True)
class CheckedRater:
    """A rater's answers to attention checks; without any, nothing speaks against the rater."""

    name: str
    votes: int
    right: int
    of: int

    def passes(self, least: float = PASSING) -> bool:
        """Whether the fraction of right answers is at least this."""
        return not self.of or self.right / self.of >= least  # `least * of` may be rounded up: 0.55 * 20


@dataclass(frozen=True)
class Preference:
    """How often the first of two models is preferred to the second, as fractions 0 to 1, with intervals of 95 %.

    `wilson` and `p_value` (the exact binomial test) take all votes as independent; `bootstrap` resamples pictures and
    raters, and is None if all votes are for one model, or if there are none: resampling them says nothing.
    `majorities`: pictures whose votes are mostly for the first, for the second, or tied; `majority_p_value`: of the
    sign test on them. `alpha`: Krippendorff's, nominal.
    """

    models: tuple[str, str]
    won: int
    votes: int
    wilson: Interval
    bootstrap: Interval | None
    p_value: float | None
    majorities: tuple[int, int, int]
    majority_p_value: float | None
    alpha: float | None

    @property
    def share(self) -> float | None:
        """The fraction of votes for the first model."""
        return self.won / self.votes if self.votes else None

    @property
    def leading(self) -> tuple[Literal["wilson", "bootstrap"], Interval]:
        """The wider interval. It is Wilson's if votes are few, or all alike: resampling them says too little."""
        resampled, wilson = self.bootstrap, self.wilson
        if resampled is None or resampled[1] - resampled[0] < wilson[1] - wilson[0]:
            return "wilson", wilson
        return "bootstrap", resampled


@dataclass(frozen=True)
class Strength:
    """The log strength of a model by Bradley and Terry, and its interval under resampled pictures and raters.

    All are None for a model without votes. Only strengths of the same `group` (from 0) can be compared.
    """

    model: str
    value: float | None
    interval: Interval | None
    group: int | None


def checked_raters(votes: Iterable[Vote], key: Key) -> list[CheckedRater]:
    """All raters who have answered something, in the order of their first vote."""
    cast, right, checks = Counter[str](), Counter[str](), Counter[str]()
    for vote in votes:
        answer = key.questions[vote.question].right_answer
        cast[vote.rater] += answer is None
        checks[vote.rater] += answer is not None
        right[vote.rater] += answer == vote.side
    return [CheckedRater(name, cast[name], right[name], checks[name]) for name in cast]


def votes_by_question(votes: Iterable[Vote], key: Key) -> dict[str, Counter[str]]:
    """For each question that compares models and has votes, the votes for each of its models."""
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for vote in votes:
        secret = key.questions[vote.question]
        model = secret.model(vote.side)
        if secret.right_answer is None and model is not None:
            found[vote.question][model] += 1
    return dict(found)


def preference(votes: Sequence[Vote], key: Key, models: tuple[str, str], seed: int = 0) -> Preference:
    """How two models compare. Raises `ConfigError` without the packages of the extra `study`."""
    first, second = models
    counted = votes_by_question(votes, key).items()
    counts = [found for name, found in counted if {key.questions[name].left, key.questions[name].right} == set(models)]
    won, lost = sum(found[first] for found in counts), sum(found[second] for found in counts)
    signs = Counter((found[first] > found[second]) - (found[first] < found[second]) for found in counts)
    wins = preference_matrix(votes, key, models)
    return Preference(
        models,
        won,
        won + lost,
        wilson(won, won + lost),
        bootstrap_interval(wins, seed) if won and lost else None,
        exact_test(won, won + lost),
        (signs[1], signs[-1], signs[0]),
        exact_test(signs[1], signs[1] + signs[-1]),
        krippendorff_alpha(wins),
    )


def preferences(votes: Sequence[Vote], key: Key, seed: int = 0) -> list[Preference]:
    """How all pairs of models compare, in the order of the key."""
    return [preference(votes, key, pair, seed) for pair in combinations(key.models, 2)]


def preference_matrix(votes: Iterable[Vote], key: Key, models: tuple[str, str]) -> Float[np.ndarray, "R Q"]:
    """1 where a rater prefers the first of two models, 0 where the second, NaN without a vote.

    The rows are raters and the columns questions, of all that compare any models: so matrices of several pairs fit.
    """
    given = list(votes)
    rows = {name: row for row, name in enumerate(dict.fromkeys(vote.rater for vote in given))}
    columns = {name: column for column, name in enumerate(key.real)}
    wins = np.full((len(rows), len(columns)), np.nan)
    for vote in given:
        secret = key.questions[vote.question]
        if secret.right_answer is None and {secret.left, secret.right} == set(models):
            wins[rows[vote.rater], columns[vote.question]] = float(secret.model(vote.side) == models[0])
    return wins


def model_strengths(votes: Sequence[Vote], key: Key, seed: int = 0) -> list[Strength]:
    """The strengths of all models, group by group, strongest first, and those without votes last."""
    places, raters = {model: k for k, model in enumerate(key.models)}, len({vote.rater for vote in votes})
    if not raters:
        return []
    of_questions, of_raters = resampled_weights(len(key.real), raters, seed)
    once = np.ones((1, len(key.real)), int), np.ones((1, raters), int)
    found, group = list[Float[np.ndarray, "N M"]](), list[int | None]()
    for weights in (once, (of_questions, of_raters)):
        wins = np.zeros((len(weights[0]), len(places), len(places)))
        for first, second in combinations(key.models, 2):
            matrix = preference_matrix(votes, key, (first, second))
            wins[:, places[first], places[second]] = weighted_votes(np.nan_to_num(matrix), *weights)
            wins[:, places[second], places[first]] = weighted_votes(np.nan_to_num(1 - matrix), *weights)
        group = group or groups(wins[0])  # of all votes, each once
        compared = (wins + wins.transpose(0, 2, 1)).sum(axis=2) > 0
        found.append(np.where(compared, strengths(wins), np.nan))
    rows = [_strength(model, found[0][0, k], found[1][:, k], group[k]) for model, k in places.items()]
    return sorted(rows, key=lambda row: (len(rows) if row.group is None else row.group, -(row.value or 0.0)))


def _strength(model: str, value: float, resampled: Float[np.ndarray, " N"], group: int | None) -> Strength:
    """A model's strength, from values that are NaN where it has no votes."""
    if group is None:
        return Strength(model, None, None, None)
    low, high = np.nanquantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Strength(model, float(value), (float(low), float(high)), group)


def of_raters(votes: Iterable[Vote], names: set[str]) -> list[Vote]:
    """The votes of some raters."""
    return [vote for vote in votes if vote.rater in names]
