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
FEWEST_CHECKS = 3  # who answers at random has all three right, and so passes, with a chance of 1 in 8
CANDIDATES = 4  # photos from which the one of an attention check is chosen


@dataclass(frozen=True)
class Planned:
    """A question to be drawn: the number of its photo, the models of its sides; None is a scrambled segmentation.

    An attention check may have one of the `others` instead of its photo, and another model on the same side.
    """

    photo: int
    left: str | None
    right: str | None
    others: tuple[int, ...] = ()


def plan_questions(
    photos: int, models: Sequence[str], count: int, check_every: int = CHECK_EVERY, seed: int = 0
) -> list[Planned]:
    """Draw `count` of the `photos` for questions that compare two models, and others for attention checks.

    All pairs of models are asked about equally often (or once more), and each model of a pair is on the left in half of
    the pair's questions (or once more). An attention check shows a model and a scrambled segmentation: for each
    `check_every` questions there is one, but `FEWEST_CHECKS` at least; 0 for none. The model is on the left in half of
    the checks (or once more). Checks take photos that no question has, if there are enough left. The order is random.

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
        Planned(photo, *((second, first) if next(turned[first, second]) else (first, second)), ())
        for photo, (first, second) in zip(order[:count], pairs, strict=True)
    ]
    planned += _checks(order, count, models, checks, draw)
    draw.shuffle(planned)
    return planned


def count_checks(count: int, check_every: int = CHECK_EVERY) -> int:
    """The number of attention checks for `count` questions; none if `check_every` is 0.

    There are `FEWEST_CHECKS` at least, or as many as questions if these are fewer.
    """
    return max(min(FEWEST_CHECKS, count), round(count / check_every)) if check_every else 0


def _checks(order: Sequence[int], count: int, models: Sequence[str], checks: int, draw: Random) -> list[Planned]:
    """Attention checks, each with photos of its own as far as there are some; the first `count` have questions."""
    spare = order[count:] if len(order) - count >= checks else [*order[count:], *order[:count]]
    shown, sides = _dealt(list(models), checks, draw), _dealt([True, False], checks, draw)
    planned: list[Planned] = []
    for number, (model, is_left) in enumerate(zip(shown, sides, strict=True)):
        photo, *others = spare[number::checks][:CANDIDATES] or [spare[number % len(spare)]]
        planned.append(Planned(photo, model if is_left else None, None if is_left else model, tuple(others)))
    return planned


def _dealt(cards: Sequence[T], count: int, draw: Random) -> list[T]:
    """`count` cards in random order, each card equally often; which of them come once more is random."""
    whole, rest = divmod(count, len(cards))
    dealt = [*(list(cards) * whole), *draw.sample(list(cards), rest)]
    draw.shuffle(dealt)
    return dealt
