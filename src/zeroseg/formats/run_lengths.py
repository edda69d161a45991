"""COCO's run lengths (RLE): lengths of alternating runs of 0 and 1, column by column, written as text.

The text has six bits a letter, of which five are of the number (least significant first) and one says that more follow;
from the third run on, a number is the difference to the one before the last. So pycocotools writes and reads them
(https://github.com/cocodataset/cocoapi, `rleToString`).

Letters: H W pixels of the picture, h w those of a box, R runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Bool, Int, Integer

FIRST_LETTER = 48
BITS, MORE = 5, 32  # of a letter: bits of the number, the bit that says that more follow
LONGEST = 7  # letters of a number: 35 bits


def encoded(
    mask: Bool[np.ndarray, "h w"], left: int = 0, top: int = 0, size: tuple[int, int] | None = None
) -> dict[str, Any]:
    """A mask as COCO has it in JSON, {"size": [height, width], "counts": text}; or a box's mask in a picture.

    `left`, `top`: of the box. `size`: width and height of the picture, by default those of the mask.
    """
    width, height = size or mask.shape[::-1]
    return {"size": [height, width], "counts": _text(_lengths(mask, left, top, width, height))}


def decoded(run_lengths: dict[str, Any]) -> Bool[np.ndarray, "H W"]:
    """The mask of run lengths, as text or as a list of numbers.

    Raises `ValueError`, `KeyError` or `TypeError` if they are malformed or do not add up to the size.
    """
    lengths, width, height = _checked(run_lengths)
    return _mask(lengths, width, height)


def decoded_box(run_lengths: dict[str, Any], size: tuple[int, int]) -> tuple[int, int, Bool[np.ndarray, "h w"]]:
    """The same within the box of the pixels alone: its left, its top and its mask.

    Raises as `decoded` does, and `ValueError` for another `size`: width and height of the picture.
    """
    lengths, width, height = _checked(run_lengths)
    if (width, height) != size:
        raise ValueError(f"run lengths of {width} x {height} pixels in a picture of {size[0]} x {size[1]}")
    ends = np.cumsum(lengths)
    runs = 2 * np.flatnonzero(lengths[1::2]) + 1  # of ones, those that have pixels
    if not len(runs):
        return 0, 0, np.zeros((0, 0), bool)
    (first, top), (last, bottom) = np.divmod(ends[runs - 1], height), np.divmod(ends[runs] - 1, height)
    left, right = int(first[0]), int(last[-1]) + 1
    within = np.diff(np.clip(ends, left * height, right * height), prepend=left * height)
    mask = _mask(within, right - left, height)
    if (first < last).any():  # a run from one column into the next
        return left, 0, mask
    return left, int(top.min()), mask[top.min() : bottom.max() + 1]


def encoded_numbers(numbers: Integer[np.ndarray, "H W"]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Every number of a map, the smallest first, with the run lengths of all of its pixels, as `encoded` gives them."""
    columns = numbers.T.ravel()
    starts = np.flatnonzero(np.concatenate([[True], columns[1:] != columns[:-1]]))
    edges = np.stack([starts, np.append(starts[1:], len(columns))], axis=1)
    order = np.argsort(columns[starts], kind="stable")
    found, first = np.unique(columns[starts[order]], return_index=True)
    for number, own in zip(found.tolist(), np.split(order, first[1:]), strict=True):
        changes = edges[own].ravel()
        lengths = np.diff(changes[changes < len(columns)], prepend=0, append=len(columns))
        yield number, {"size": list(numbers.shape), "counts": _text(lengths)}


def _checked(run_lengths: dict[str, Any]) -> tuple[Int[np.ndarray, " R"], int, int]:
    """The lengths, and width and height."""
    height, width = map(int, run_lengths["size"])
    counts = run_lengths["counts"]
    lengths = _numbers(counts) if isinstance(counts, str) else np.array(counts, np.int64)
    if height < 0 or width < 0 or lengths.ndim != 1 or (lengths < 0).any() or lengths.sum() != height * width:
        raise ValueError(f"run lengths that do not add up to {height} x {width} pixels")
    return lengths, width, height


def _mask(lengths: Int[np.ndarray, " R"], width: int, height: int) -> Bool[np.ndarray, "H W"]:
    ones = np.arange(len(lengths)) % 2 == 1
    return np.repeat(ones, lengths).reshape(width, height).T


def _lengths(mask: Bool[np.ndarray, "h w"], left: int, top: int, width: int, height: int) -> Int[np.ndarray, " R"]:
    """The lengths of the runs in the whole picture; the first is of zeros, and may have no pixel."""
    columns = np.pad(mask.T, ((0, 0), (1, 1)))
    column, row = np.nonzero(columns[:, 1:] != columns[:, :-1])
    changes, times = np.unique((left + column) * height + top + row, return_counts=True)
    ends = changes[(times == 1) & (changes < width * height)]  # twice: a run goes on in the next column
    return np.diff(ends, prepend=0, append=width * height)


def _text(lengths: Int[np.ndarray, " R"]) -> str:
    numbers = lengths.astype(np.int64)
    numbers[3:] -= lengths[1:-2]
    letters = np.zeros((LONGEST, len(numbers)), np.uint8)
    writes = np.zeros((LONGEST, len(numbers)), bool)
    more = np.ones(len(numbers), bool)
    for place in range(LONGEST):
        low = numbers & (MORE - 1)
        numbers >>= BITS
        writes[place] = more
        more = more & np.where(low & (MORE >> 1), numbers != -1, numbers != 0)
        letters[place] = low + MORE * more + FIRST_LETTER
    return letters.T[writes.T].tobytes().decode("ascii")


def _numbers(text: str) -> Int[np.ndarray, " R"]:
    letters = np.frombuffer(text.encode("ascii"), np.uint8).astype(np.int64) - FIRST_LETTER
    if len(letters) and (letters.min() < 0 or letters.max() >= 2 * MORE or letters[-1] & MORE):
        raise ValueError("letters that are no run lengths")
    last = letters & MORE == 0
    number = np.cumsum(last) - last
    starts = np.flatnonzero(np.concatenate([[True], last[:-1]])) if len(letters) else np.zeros(0, np.int64)
    place = np.arange(len(letters)) - starts[number]
    if len(letters) and place.max() >= 2 * LONGEST - 2:
        raise ValueError("a run length of too many letters")
    numbers = np.zeros(int(last.sum()), np.int64)
    np.add.at(numbers, number, (letters & (MORE - 1)) << (BITS * place))
    length = place[last] + 1
    numbers -= np.where(letters[last] & (MORE >> 1), np.int64(1) << (BITS * length), 0)
    for first in (1, 2):
        numbers[first::2] = np.cumsum(numbers[first::2])
    return numbers
