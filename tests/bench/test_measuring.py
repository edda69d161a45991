"""Ratios are those of work in the same rounds, and targets are what they are compared with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from zeroseg.bench import PARTS, Pair, Setting, measured, measuring
from zeroseg.bench.page import facts_of, markdown, write_json, write_page


def ticking(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], Callable[[], object]]:
    """Work that takes so many seconds of a clock of its own."""
    now = [0.0]
    monkeypatch.setattr(measuring.time, "perf_counter", lambda: now[0])

    def work(seconds: float) -> Callable[[], object]:
        def take() -> None:
            now[0] += seconds

        return take

    return work


def test_a_slow_machine_changes_no_ratio(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each round is slower than the one before, and its two parts are alike."""
    now, slower = [0.0], iter(range(100))
    monkeypatch.setattr(measuring.time, "perf_counter", lambda: now[0])

    def take(seconds: float) -> Callable[[], object]:
        def work() -> None:
            now[0] += seconds * (1 + next(slower) // 2)

        return work

    figure = measured(Pair("part", "what", "floor", take(3.0), take(1.0)), 5)
    assert (figure.ratio, figure.low, figure.high) == (3.0, 3.0, 3.0)


def test_the_floor_is_counted_as_often_as_its_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the targets are a ratio, or seconds."""
    work = ticking(monkeypatch)
    figure = measured(Pair("part", "what", "floor", work(6.0), work(0.5), scale=10, most=1.2), 3)
    assert (figure.seconds, figure.floor_seconds, figure.ratio, figure.is_met) == (6.0, 5.0, 1.2, True)
    assert measured(Pair("part", "what", "floor", work(6.0), work(0.5), scale=10, most=1.1), 1).is_met is False
    assert measured(Pair("part", "what", "floor", work(6.0), work(0.5), within=5.9), 1).is_met is False
    assert measured(Pair("part", "what", "floor", work(6.0), work(0.5)), 1).is_met is None


def test_the_figures_as_a_table_and_as_json(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With machine and versions."""
    work, setting = ticking(monkeypatch), Setting(tmp_path)
    figures = [measured(Pair("part", "what", "floor", work(3.0), work(2.0), most=1.1, flops=6e9), 2)]
    facts = facts_of(setting)
    assert "| part | what | 3.00 s | 2 | floor | 2.00 s | 1.500 (1.500 to 1.500) | &le; 1.10 | **no** |" in markdown(
        figures, facts
    )
    assert {"machine", "torch", "rounds"} <= facts.keys()
    write_json(tmp_path / "bench.json", figures, facts)
    assert '"is_met": false' in (tmp_path / "bench.json").read_text()


def test_the_page_has_table_and_plot(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A line for each model, a point for each number of labels."""
    work = ticking(monkeypatch)
    pairs = [Pair("name", f"{n} labels", "floor", work(n), work(1.0), curve=("photos", n)) for n in (1, 20, 150)]
    write_page(tmp_path / "docs/performance.md", [measured(pair, 1) for pair in pairs], {"machine": "here"})
    page = (tmp_path / "docs/performance.md").read_text()
    assert "| name | 20 labels | 20.00 s |  |" in page
    assert "](images/performance.svg)" in page
    plot = ElementTree.parse(tmp_path / "docs/images/performance.svg")
    assert "photos" in ElementTree.tostring(plot.getroot(), encoding="unicode")


@pytest.mark.parametrize("part", ["encode", "name", "refine", "sizes", "segment", "cache", "loader", "step"])
def test_every_part_measures_something(part: str, tmp_path: Path) -> None:
    """With the small bundled model, a small photo and one round: no ratio is nothing, whatever the machine."""
    setting = Setting(tmp_path, ("photos",), side=64, rounds=1, device="cpu", count=2)
    pairs = list(PARTS[part](setting))
    assert pairs
    figure = measured(pairs[0], 1)
    assert figure.part == part
    assert figure.ratio > 0
