"""Names with braces, as in the names of shards: `train-{0000..0127}.tar`, `{a,b}.tar`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from zeroseg.errors import ImageError

RANGE = re.compile(r"(-?\d+)\.\.(-?\d+)")
MOST = 1_000_000  # names of one range


def expanded(text: str) -> Iterator[str]:
    """All names that a text with braces stands for, as in Unix shells; the text itself if it has none.

    `{a,b}` stands for a and b, `{08..10}` for 08, 09 and 10; braces may be inside braces. Other braces are left as they
    are. Raises `ImageError` for a range of more than `MOST` numbers.
    """
    for start, opening in enumerate(text):
        if opening != "{":
            continue
        end, commas = _closed(text, start)
        choices = _choices(text, start, end, commas)
        if choices is not None:
            tails = list(expanded(text[end + 1 :]))
            yield from (text[:start] + choice + tail for choice in choices for tail in tails)
            return
    yield text


def _closed(text: str, start: int) -> tuple[int, list[int]]:
    """Where a brace is closed (-1: nowhere), and where the commas between are that are in no other brace."""
    depth, commas = 0, list[int]()
    for place in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 1 and text[place] == ",":
            commas.append(place)
        if depth == 0:
            return place, commas
    return -1, []


def _choices(text: str, start: int, end: int, commas: list[int]) -> Iterator[str] | None:
    """What a brace stands for; None if it is neither a range nor a list."""
    if commas:
        edges = [start, *commas, end]
        parts = [text[left + 1 : right] for left, right in pairwise(edges)]
        return (choice for part in parts for choice in expanded(part))
    match = RANGE.fullmatch(text, start + 1, max(end, start + 1))
    return _numbers(*match.groups()) if match else None


def _numbers(first: str, last: str) -> Iterator[str]:
    low, high = int(first), int(last)
    if abs(high - low) >= MOST:
        raise ImageError(f"{{{first}..{last}}} stands for more than {MOST:,} names; give a shorter range.")
    is_padded = any(len(digits) > 1 and digits.lstrip("-").startswith("0") for digits in (first, last))
    width = max(len(first), len(last)) if is_padded else 0
    step = 1 if high >= low else -1
    return (f"{number:0{width}d}" for number in range(low, high + step, step))
