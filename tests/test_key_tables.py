"""Tables of keys find what a dictionary finds, in one process or in several, and never what is damaged."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zeroseg import key_tables
from zeroseg.key_tables import KeyTables

NUMBERS = st.integers(0, 2**64 - 1)
# small numbers as well, so that keys come twice
ROWS = st.lists(st.tuples(st.integers(0, 20) | NUMBERS, st.integers(0, 3), NUMBERS, NUMBERS), min_size=1, max_size=30)


def columns(rows: list[tuple[int, int, int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Keys and values. The first number of a key is its own: half a hash is."""
    table = np.array([(first * 4 + second, second, one, two) for first, second, one, two in rows], object) % 2**64
    numbers = table.astype(np.uint64)
    return numbers[:, :2], numbers[:, 2:]


@given(st.lists(ROWS, min_size=1, max_size=5))
def test_they_are_a_dictionary(tables: list[list[tuple[int, int, int, int]]]) -> None:
    """Whatever comes in which table: the last value of a key counts; other keys are not found."""
    expected = dict[bytes, bytes]()
    with TemporaryDirectory() as folder:
        for rows in tables:
            keys, values = columns(rows)
            assert KeyTables(Path(folder)).add(keys, values)
            expected |= {key.tobytes(): value.tobytes() for key, value in zip(keys, values, strict=True)}
        keys = np.frombuffer(b"".join(expected), np.uint64).reshape(-1, 2)
        values, found = KeyTables(Path(folder)).find(keys)
        assert found.all()
        assert values.tobytes() == b"".join(expected.values())
        others = keys + np.array([0, 10], np.uint64)
        assert not KeyTables(Path(folder)).find(others)[1].any()


def test_many_tables_are_put_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also by two who add at the same time; large ones stay."""
    monkeypatch.setattr(key_tables, "TOGETHER", 4)
    monkeypatch.setattr(key_tables, "LARGEST", 60)
    random = np.random.default_rng(0)
    keys, values = (random.integers(0, 2**63, (300, 2)).astype(np.uint64) for _ in range(2))
    pair = KeyTables(tmp_path), KeyTables(tmp_path)
    for first in range(0, 300, 5):
        assert pair[first % 2].add(keys[first : first + 5], values[first : first + 5])
    found, there = KeyTables(tmp_path).find(keys)
    assert there.all()
    assert (found == values).all()
    assert len(list(tmp_path.iterdir())) < 25


def test_a_folder_that_cannot_be_written_to_is_said(tmp_path: Path) -> None:
    """And nothing is found in it."""
    (tmp_path / "file").touch()
    tables, rows = KeyTables(tmp_path / "file"), np.ones((1, 2), np.uint64)
    assert not tables.add(rows, rows)
    assert not tables.find(rows)[1].any()
