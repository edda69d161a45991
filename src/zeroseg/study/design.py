"""What a study asks, drawn from a seed: photos, pairs of models, sides, and attention checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from random import Random
from typing import TypeVar

from zeroseg.errors import DatasetError

T = TypeVar("T")
CHECK_EVERY = 10  # of the questions that compare models, one attention check


@dataclass(frozen=True)
class Planned:
    """A question to be drawn: the number of its photo, the models of its sides; None is a scrambled segmentation."""

    photo: int
    left: str | None
    right: str | None


def plan_questions(
    photos: int, models: Sequence[str], count: int, check_every: int = CHECK_EVERY, seed: int = 0
) -> list[Planned]:
    """Draw `count` of the `photos` for questions that compare two models, and others for attention checks.

    All pairs of models are asked about equally often (or once more), and each model of a pair is on the left in half of
    the pair's questions (or once more). An attention check shows a model and a scrambled segmentation: for each
    `check_every` questions there is one; 0 for none. Checks take photos that no question has, if there are some left.
    The order is random.

    Raises:
        DatasetError: if there are fewer photos than questions.
        ValueError: if there are fewer than two models, or two of one name.
    """
    if len(set(models)) < max(2, len(models)):
        raise ValueError(f"a study needs two models or more with different names, not {list(models)}")
    if not 1 <= count <= photos:
        raise DatasetError(
            f"the study needs {count:,} pictures, and there are {photos:,}: name more of them or a smaller --count."
        )
    draw = Random(seed)
    order = draw.sample(range(photos), photos)
    checks = count_checks(count, check_every)
    pairs = _dealt(list(combinations(models, 2)), count, draw)
    turned = {pair: iter(_dealt([True, False], pairs.count(pair), draw)) for pair in set(pairs)}
    planned = [
        Planned(photo, *(reversed(pair) if next(turned[pair]) else pair))
        for photo, pair in zip(order[:count], pairs, strict=True)
    ]
    spare = order[count:] or order
    shown, sides = _dealt(list(models), checks, draw), _dealt([True, False], checks, draw)
    for number, (model, is_left) in enumerate(zip(shown, sides, strict=True)):
        photo = spare[number % len(spare)]
        planned.append(Planned(photo, model if is_left else None, None if is_left else model))
    draw.shuffle(planned)
    return planned


def count_checks(count: int, check_every: int = CHECK_EVERY) -> int:
    """The number of attention checks for `count` questions: at least one, unless `check_every` is 0."""
    return max(1, round(count / check_every)) if check_every else 0


def _dealt(cards: Sequence[T], count: int, draw: Random) -> list[T]:
    """`count` cards in random order, each card equally often; which of them come once more is random."""
    whole, rest = divmod(count, len(cards))
    dealt = [*(list(cards) * whole), *draw.sample(list(cards), rest)]
    draw.shuffle(dealt)
    return dealt
