"""Run lengths against pycocotools, letter by letter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pycocotools.mask
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from zeroseg.formats import run_lengths

SHAPES = st.tuples(st.integers(1, 40), st.integers(1, 12))


@given(arrays(bool, SHAPES), st.integers(1, 9))
@settings(deadline=None)
def test_text_is_that_of_pycocotools(mask: np.ndarray, cell: int) -> None:
    """Both directions, short and long runs."""
    mask = np.kron(mask, np.ones((cell, cell), bool))
    ours = run_lengths.encoded(mask)
    theirs: Any = pycocotools.mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert ours == {"size": [*mask.shape], "counts": theirs["counts"].decode()}
    assert (run_lengths.decoded(ours) == mask).all()


@given(arrays(bool, SHAPES), st.integers(0, 3), st.integers(0, 3), st.integers(0, 3), st.integers(0, 3))
@settings(deadline=None)
def test_a_box_is_placed_in_its_picture(mask: np.ndarray, left: int, top: int, right: int, bottom: int) -> None:
    """The same as the whole mask; also boxes as high as the picture, whose runs go on in the next column."""
    whole = np.pad(mask, ((top, bottom), (left, right)))
    assert run_lengths.encoded(mask, left, top, whole.shape[::-1]) == run_lengths.encoded(whole)


def test_lists_of_numbers_are_read() -> None:
    """The form of COCO's crowds."""
    assert run_lengths.decoded({"size": [2, 3], "counts": [1, 2, 3]}).tolist() == [
        [False, True, False],
        [True, False, False],
    ]


@pytest.mark.parametrize("counts", ["", "0", "\x7f", "P", "oooooooooooooooooooo0", [7], [-1, 7], [[6]]])
def test_other_run_lengths_are_refused(counts: object) -> None:
    """Too few or too many pixels, other letters, an unfinished number."""
    with pytest.raises(ValueError, match=r"run length|letters"):
        run_lengths.decoded({"size": [2, 3], "counts": counts})


@given(arrays(bool, SHAPES), st.integers(0, 3), st.integers(0, 3), st.integers(0, 3), st.integers(0, 3))
@settings(deadline=None)
def test_a_box_is_found_in_its_picture(mask: np.ndarray, left: int, top: int, right: int, bottom: int) -> None:
    """It has all pixels of the mask; other sizes are refused."""
    whole = np.pad(mask, ((top, bottom), (left, right)))
    ours, (height, width) = run_lengths.encoded(whole), whole.shape
    first, upper, box = run_lengths.decoded_box(ours, (width, height))
    found = np.zeros_like(whole)
    found[upper : upper + box.shape[0], first : first + box.shape[1]] = box
    assert (found == whole).all()
    with pytest.raises(ValueError, match="in a picture of"):
        run_lengths.decoded_box(ours, (width + 1, height))


@given(arrays(np.uint16, SHAPES, elements=st.sampled_from((0, 1, 3, 65_535))))
@settings(deadline=None)
def test_all_numbers_of_a_map_at_once(numbers: np.ndarray) -> None:
    """The same as one after the other."""
    expected = [(number, run_lengths.encoded(numbers == number)) for number in np.unique(numbers).tolist()]
    assert list(run_lengths.encoded_numbers(numbers)) == expected
