"""Who answers what: questions and attention checks for raters, drawn at random and even."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import cycle
from random import Random


def assign(demand: Mapping[str, int], raters: int, draw: Random) -> list[list[str]]:
    """Questions for each of some raters, so that each question has as many of them as its demand says.

    No rater has a question twice, so a question gets at most `raters` of them. The numbers of questions that raters
    have differ by at most one. Which raters share a question, and the order, is random.
    """
    lists: list[list[str]] = [[] for _ in range(raters)]
    names = draw.sample(sorted(demand), len(demand))
    for name in names:
        free = draw.sample(lists, raters)  # ties are broken at random
        for own in sorted(free, key=len)[: min(demand[name], raters)]:
            own.append(name)
    for own in lists:
        draw.shuffle(own)
    return lists


def fill(lists: Sequence[Sequence[str]], spare: Mapping[str, int], draw: Random) -> list[list[str]]:
    """The lists of raters, where each that is empty has one of the `spare` questions, which must be some.

    `spare`: how many votes each lacks; those that lack most come first, and all come equally often.
    """
    names = sorted(draw.sample(sorted(spare), len(spare)), key=lambda name: -spare[name])
    order = cycle(names)
    return [list(own) or [next(order)] for own in lists]


def with_checks(
    questions: Sequence[str], used: Mapping[str, int], sides: Mapping[str, str], wanted: int, draw: Random
) -> tuple[list[str], list[str]]:
    """A rater's questions with `wanted` attention checks spread over them, and the checks.

    `used`: every check, and how many raters have it; those that the fewest have are taken, each at most once, and the
    right answers, their `sides`, take turns as long as there are checks of both.
    """
    waiting, checks = draw.sample(sorted(used), len(used)), list[str]()
    while waiting and len(checks) < wanted:
        before = Counter(sides[name] for name in checks)
        checks.append(min(waiting, key=lambda name: (before[sides[name]], used[name])))
        waiting.remove(checks[-1])
    draw.shuffle(checks)
    mixed, start = list[str](), 0
    for number, check in enumerate(checks, 1):
        end = round(len(questions) * number / len(checks))
        place = draw.randint(start, end)
        mixed += [*questions[start:place], check, *questions[place:end]]
        start = end
    return (mixed if checks else list(questions)), checks
