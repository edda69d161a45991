"""Label Studio's run lengths against its own SDK, against a naive decoder, and against malformed bytes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.formats import peer
from zeroseg.formats import brush_lengths

SHAPES = st.tuples(st.integers(1, 20), st.integers(1, 20))


def naively_decoded(packed: list[int]) -> list[int]:
    """All values, bit by bit, as https://github.com/thi-ng/umbrella describes it."""
    bits = "".join(f"{byte:08b}" for byte in packed)
    at = 0

    def number(length: int) -> int:
        nonlocal at
        at += length
        return int(bits[at - length : at], 2)

    count, word, widths = number(32), number(5) + 1, [number(4) + 1 for _ in range(4)]
    values = list[int]()
    while len(values) < count:
        repeats = number(1)
        length = number(widths[number(2)]) + 1
        values += [number(word)] * length if repeats else [number(word) for _ in range(length)]
    return values


@given(arrays(bool, SHAPES), st.sampled_from((1, 3, 40)))
@settings(deadline=None, max_examples=60)
def test_masks_come_back(mask: np.ndarray, cell: int) -> None:
    """Short and long runs; the naive decoder sees the mask in all four channels."""
    mask = np.kron(mask, np.ones((cell, cell), bool))
    packed = brush_lengths.encoded(mask)
    assert (brush_lengths.decoded(packed, mask.shape[::-1]) == mask).all()
    if cell < 40:
        assert naively_decoded(packed) == np.repeat(mask.ravel() * 255, 4).tolist()


@given(arrays(bool, SHAPES), st.integers(0, 3), st.integers(0, 3), st.integers(0, 3), st.integers(0, 3))
@settings(deadline=None, max_examples=60)
def test_a_box_is_placed_in_its_picture(mask: np.ndarray, left: int, top: int, right: int, bottom: int) -> None:
    """The same as the whole mask; also boxes as wide as the picture, whose runs go on in the next row."""
    whole = np.pad(mask, ((top, bottom), (left, right)))
    assert brush_lengths.encoded(mask, left, top, whole.shape[::-1]) == brush_lengths.encoded(whole)


@given(st.lists(st.tuples(st.booleans(), st.lists(st.integers(0, 255), min_size=1, max_size=9)), min_size=1))
@settings(deadline=None, max_examples=60)
def test_any_codes_are_read(codes: list[tuple[bool, list[int]]]) -> None:
    """Values one by one, which drawings by hand lead to, repeated values, and other widths than ours."""
    widths, bits, count = (5, 4, 16, 12), "", 0
    for number, (repeats, values) in enumerate(codes):
        width = widths[number % 4]
        written = values[:1] if repeats else values
        bits += f"{repeats:b}{number % 4:02b}{len(values) - 1:0{width}b}" + "".join(f"{one:08b}" for one in written)
        count += len(values)
    missing = -count % 4
    bits += f"000{missing - 1:05b}" + "00000001" * missing if missing else ""
    bits = f"{count + missing:032b}{7:05b}" + "".join(f"{width - 1:04b}" for width in widths) + bits
    bits += "0" * (-len(bits) % 8)
    packed = [int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)]
    expected = np.array(naively_decoded(packed))[3::4] > 0
    assert (brush_lengths.decoded(packed, (len(expected), 1))[0] == expected).all()


def test_the_sdk_agrees_in_both_directions(tmp_path: Path) -> None:
    """Label Studio's own code decodes our bytes, and we decode its bytes; they are the same but for a last zero."""
    peer.interpreter()
    random = np.random.default_rng(0)
    masks = [random.random((1 + side % 7, 1 + side)) < density for side in range(14) for density in (0.0, 0.3, 0.9, 1)]
    masks += [np.kron(mask, np.ones((9, 30), bool)) for mask in masks[::5]] + [np.ones((200, 200), bool)]
    ours = [brush_lengths.encoded(mask) for mask in masks]
    asked = {"packed": ours, "masks": [mask.astype(int).tolist() for mask in masks]}
    (tmp_path / "in.json").write_text(json.dumps(asked), encoding="utf-8")
    peer.run("brush_lengths.py", tmp_path / "in.json", tmp_path / "out.json")
    answered = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    for mask, own, values, theirs in zip(masks, ours, answered["values"], answered["packed"], strict=True):
        assert values == np.repeat(mask.ravel() * 255, 4).tolist()
        assert (brush_lengths.decoded(theirs, mask.shape[::-1]) == mask).all()
        assert theirs in (own, [*own, 0])


GOOD = brush_lengths.encoded(np.eye(3, dtype=bool))


@pytest.mark.parametrize(
    "packed",
    [[], GOOD[:5], GOOD[:-2], [*GOOD[:4], 0, *GOOD[5:]], [0, 0, 0, 32, *GOOD[4:]], [*GOOD[:8], 255, 255, *GOOD[10:]]],
)
def test_malformed_bytes_are_refused(packed: list[int]) -> None:
    """Too short, other bits a value, another number of values, too many values."""
    with pytest.raises(ValueError, match="run lengths"):
        brush_lengths.decoded(packed, (3, 3))


def test_a_picture_that_cannot_be_counted_is_refused() -> None:
    """More values than 32 bits."""
    with pytest.raises(ValueError, match="more than Label Studio can count"):
        brush_lengths.encoded(np.ones((1, 1), bool), size=(1 << 15, 1 << 15))
