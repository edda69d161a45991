"""Ratios are those of work in the same rounds, and targets are what they are compared with."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

from zeroseg.bench import PARTS, TARGETS, Pair, Setting, Target, measured, measuring
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
    figure = measured(Pair("part", "what", "floor", work(6.0), work(0.5), scale=10, target=Target("", most=1.2)), 3)
    assert (figure.amount, figure.floor_amount, figure.ratio, figure.is_met) == (6.0, 5.0, 1.2, True)
    assert (
        measured(Pair("part", "what", "floor", work(6.0), work(0.5), scale=10, target=Target("", most=1.1)), 1).is_met
        is False
    )
    assert (
        measured(Pair("part", "what", "floor", work(6.0), work(0.5), target=Target("", within=5.9)), 1).is_met is False
    )
    assert measured(Pair("part", "what", "floor", work(6.0), work(0.5)), 1).is_met is None


def test_the_figures_as_a_table_and_as_json(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With machine and versions."""
    work, setting = ticking(monkeypatch), Setting(tmp_path)
    figures = [measured(Pair("part", "what", "floor", work(3.0), work(2.0), target=Target("", most=1.1), flops=6e9), 2)]
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


def test_the_page_lists_every_target(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With its figures and why one is above it, and also those that were not measured."""
    work, first = ticking(monkeypatch), TARGETS[0]
    pairs = [Pair("encode", f"took {n}", "floor", work(n), work(1.0), target=first) for n in (1.0, 2.0)]
    write_page(tmp_path / "performance.md", [measured(pair, 1) for pair in pairs], {"machine": "here"})
    page = (tmp_path / "performance.md").read_text()
    assert f"| {first.words} | took 1.0 | 1.000 (1.000 to 1.000) | yes |" in page
    assert f"| {first.words} | took 2.0 | 2.000 (2.000 to 2.000) | **no** |" in page
    assert f"- *took 2.0*: {first.missed}" in page
    assert all(f"| {target.words} | (not measured) |  |  |" in page for target in TARGETS[1:])


def test_every_target_is_a_ratio_or_seconds() -> None:
    """One of both, and each in other words."""
    assert all((target.most is None) != (target.within is None) for target in TARGETS)
    assert len({target.words for target in TARGETS}) == len(TARGETS)


def test_rounds_end_when_the_time_is_over_but_three_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here a round takes 4 seconds, and the one that does not count, too."""
    work = ticking(monkeypatch)
    pair = Pair("part", "what", "floor", work(3.0), work(1.0))
    assert [measured(pair, 9, seconds).rounds for seconds in (1, 16, 30, 99)] == [3, 4, 7, 9]


def test_memory_is_what_the_work_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """MB, and no seconds."""
    ticking(monkeypatch)
    figure = measured(Pair("memory", "many", "few", lambda: 330.0, lambda: 300.0, unit="MB"), 2)
    assert (figure.amount, figure.floor_amount, figure.ratio) == (330.0, 300.0, 1.1)
    assert "| memory | many | 330 MB |  | few | 300 MB | 1.100 (1.100 to 1.100) |  |  |" in markdown([figure], {})


def test_peers_that_transformers_lacks_are_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With a sentence for each; ours are there."""
    said: list[str] = []
    setting = Setting(tmp_path, side=32, device="cpu", say=said.append)
    monkeypatch.setitem(sys.modules, "transformers", ModuleType("transformers"))
    assert list(PARTS["peers"](setting)) == []
    assert said[0] == "this version of transformers has no CLIPSeg rd64: it is left out."
    assert len(said) == 3


@pytest.mark.parametrize("part", ["encode", "name", "words", "refine", "sizes", "segment", "cache", "loader", "step"])
def test_every_part_measures_something(part: str, tmp_path: Path) -> None:
    """With the small bundled model, a small photo and one round: no ratio is nothing, whatever the machine."""
    setting = Setting(tmp_path, ("photos",), side=64, rounds=1, device="cpu", count=2)
    pairs = list(PARTS[part](setting))
    assert pairs
    figure = measured(pairs[0], 1)
    assert figure.part == part
    assert figure.ratio > 0


def test_peers_segment_a_small_picture(tmp_path: Path) -> None:
    """CLIPSeg, GroupViT and SCLIP's windows, from their configs, by a class for each pixel."""
    setting = Setting(tmp_path, side=32, rounds=1, device="cpu")
    figures = [measured(pair, 1) for pair in PARTS["peers"](setting)]
    assert [figure.floor_is.split()[0] for figure in figures] == ["CLIPSeg", "GroupViT,", "CLIP"]
    assert {figure.what for figure in figures} == {"vitb16: segment 32 x 32 pixels, 20 labels"}
    assert all(figure.ratio > 0 for figure in figures)


@pytest.mark.parametrize("part", ["memory", "shared"])
def test_processes_of_their_own(part: str, tmp_path: Path) -> None:
    """They answer, and end."""
    setting = Setting(tmp_path, ("photos",), side=32, rounds=1, device="cpu")
    (figure,) = [measured(pair, 1) for pair in PARTS[part](setting)]
    assert figure.part == part
    assert figure.ratio > 0
