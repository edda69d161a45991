"""`zeroseg runs`: the state of runs from their files, whatever happened to them."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.conftest import Call, assert_one_sentence
from tests.training.test_loop import LOOP, STEPS, Toy, stop_at
from zeroseg.cli.runs import curve
from zeroseg.locks import held
from zeroseg.student.weights import CONFIG_NAME
from zeroseg.training.checkpoint import checkpoints_in


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A complete run, a stopped one, a damaged one, one without settings, one with damaged ones."""
    folder = tmp_path / "runs"
    assert Toy().run(folder / "done", evaluate=lambda: {"miou": 0.25})
    (folder / "done" / "student").mkdir()
    (folder / "done" / "student" / CONFIG_NAME).write_text("{}", encoding="utf-8")
    for name in ("a/stopped", "broken", "lost", "unset"):
        assert not Toy(on_step=stop_at(3)).run(folder / name, replace(LOOP, checkpoint_every=2))
    newest = checkpoints_in(folder / "broken")[0]
    newest.write_bytes(newest.read_bytes()[:-1])
    (folder / "lost" / "settings.json").unlink()
    (folder / "unset" / "settings.json").write_text("{", encoding="utf-8")
    (folder / "no-run").mkdir()
    (folder / "no-run" / "settings.json").write_text("{}", encoding="utf-8")
    return folder


def test_the_state_of_each_run(runs: Path, call: Call):
    said = call("runs", runs, "--json")
    assert (said.code, said.err) == (0, "")
    found = {row["name"]: row for row in json.loads(said.out)}
    assert {name: row["state"] for name, row in found.items()} == {
        "a/stopped": "stopped", "broken": "damaged", "done": "complete", "lost": "damaged", "unset": "damaged",
    }  # fmt: skip
    assert {name: (row["step"], row["steps"]) for name, row in found.items()} == {
        "a/stopped": (4, STEPS), "broken": (4, STEPS), "done": (STEPS, STEPS), "lost": (4, None), "unset": (4, None),
    }  # fmt: skip
    done = found["done"]
    assert done["figure"] == ["miou", 0.25]
    assert done["results"] == ["student"]
    assert [step for step, _ in done["losses"]] == list(range(1, STEPS + 1))
    assert done["loss"] == done["losses"][-1][1]
    assert done["images_per_second"] > 0
    assert found["a/stopped"]["checkpoint"].startswith("checkpoint-00000004-")
    assert found["a/stopped"]["figure"] is None


def test_the_table_has_a_line_for_each_run(runs: Path, call: Call, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "120")
    before = sorted(path.name for path in runs.rglob("*"))
    said = call("runs", runs, "--curves")
    assert (said.code, said.err) == (0, "")
    (line,) = [line for line in said.out.splitlines() if "a/stopped" in line]
    assert "stopped" in line.replace("a/stopped", "")
    assert f"4/{STEPS}" in line
    assert "checkpoint" in line
    assert "█" in line
    assert "miou 0.250" in said.out
    assert sorted(path.name for path in runs.rglob("*")) == before


def test_a_run_whose_folder_is_held_is_running(runs: Path, call: Call):
    with held(runs / "a/stopped", inside=True):
        rows = json.loads(call("runs", runs / "a/stopped", "--json").out)
        table = call("runs", runs / "a/stopped").out
    assert [(row["name"], row["state"]) for row in rows] == [("stopped", "running")]
    assert rows[0]["seconds_left"] > 0
    assert " left " in table
    rows = json.loads(call("runs", runs / "a/stopped", "--json").out)
    assert (rows[0]["state"], rows[0]["seconds_left"]) == ("stopped", None)


def test_no_runs_and_no_folder_are_said(call: Call, tmp_path: Path):
    assert call("runs", tmp_path).out == f"there are no runs in {tmp_path}\n"
    assert_one_sentence(call("runs", tmp_path / "none"), 2, "is no folder")


@pytest.mark.parametrize(
    ("values", "drawn"), [([], ""), ([3.0], "▁"), ([8.0, 1.0], "█▁"), ([0.0, 0.5, 1.0], "▁▅█"), ([2.0] * 3, "▁▁▁")]
)
def test_a_curve_goes_from_the_lowest_to_the_highest(values: list[float], drawn: str):
    assert curve(values) == drawn
    assert len(curve([float(n) for n in range(1000)])) == 24


@pytest.mark.parametrize(
    "line",
    [
        '{"step": 3, "loss": 2.5}',
        '{"step": 3, "loss": NaN, "images_per_second": "x"}\n{"step": 4, "loss": Infinity}',
        '{"step": 3, "loss": 1.5, "images_per_second": []}',
    ],
)
def test_a_log_without_checksums_may_say_anything(line: str, runs: Path, call: Call):
    """Logs of earlier versions have none."""
    (runs / "done" / "log.jsonl").write_text(f"{line}\n", encoding="utf-8")
    for words in (["--curves"], ["--json"]):
        assert call("runs", str(runs / "done"), *words).code == 0


@pytest.mark.parametrize("content", ["[" * 100_000, '{"loop": {"steps": 1e400}}'])
def test_settings_may_be_anything(content: str, runs: Path, call: Call):
    """Then the run is damaged."""
    (runs / "done" / "settings.json").write_text(content, encoding="utf-8")
    assert "damaged" in call("runs", str(runs / "done")).out
