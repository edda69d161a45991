"""A run outlives what happens to its folder and to its process: damage, kills, copies, full disks, signals."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.test_loop import LOOP, STEPS, Toy, assert_same, stop_at
from zeroseg.errors import OutputError, TrainingError
from zeroseg.locks import held
from zeroseg.training.checkpoint import Checkpoints, checkpoints_in
from zeroseg.training.monitor import read_log

OFTEN = replace(LOOP, checkpoint_every=2)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[torch.Tensor]:
    """Final weights of the run that nothing happened to."""
    toy = Toy()
    assert toy.run(tmp_path_factory.mktemp("whole") / "run")
    return toy.weights()


def crash_at(step: int) -> Callable[[int], None]:
    def crash(now: int) -> None:
        if now == step:
            raise RuntimeError("power cut")

    return crash


def crashed(folder: Path, step: int = 5) -> Path:
    """A run whose process died in a step, with checkpoints after 2 and 4."""
    with pytest.raises(RuntimeError, match="power cut"):
        Toy(on_step=crash_at(step)).run(folder, OFTEN)
    return folder


def test_a_damaged_checkpoint_costs_the_steps_after_the_one_before(
    tmp_path: Path, whole: list[torch.Tensor], caplog: pytest.LogCaptureFixture
):
    run = crashed(tmp_path / "run")
    newest = checkpoints_in(run)[0]
    newest.write_bytes(newest.read_bytes()[:-1])
    again = Toy()
    assert again.run(run, OFTEN, resume=True)
    assert again.seen[0] == 2
    assert_same(again.weights(), whole)
    assert f"{newest} is damaged; the run continues from step 2" in caplog.text


def test_a_checkpoint_of_an_earlier_version_resumes(tmp_path: Path, whole: list[torch.Tensor]):
    """`checkpoint.pt`, which says nothing of evaluations, and a log without checksums."""
    run = crashed(tmp_path / "run")
    state = Checkpoints(run).load()
    for path in checkpoints_in(run):
        path.unlink()
    torch.save({key: state[key] for key in ("model", "optimiser", "step", "bad")}, run / "checkpoint.pt")
    again = Toy()
    assert again.run(run, OFTEN, resume=True)
    assert_same(again.weights(), whole)
    assert not (run / "checkpoint.pt").exists()


def test_a_checkpoint_of_another_model_is_said(tmp_path: Path):
    run = crashed(tmp_path / "run")
    other = Toy()
    other.model = torch.nn.Sequential(torch.nn.Linear(3, 1))
    with pytest.raises(TrainingError, match="is of another model"):
        other.run(run, OFTEN, resume=True)


def test_a_run_that_was_copied_resumes_there(tmp_path: Path, whole: list[torch.Tensor]):
    run = crashed(tmp_path / "run")
    shutil.copytree(run, tmp_path / "elsewhere" / "copy")
    shutil.rmtree(run)
    assert str(tmp_path) not in (tmp_path / "elsewhere" / "copy" / "settings.json").read_text(encoding="utf-8")
    again = Toy()
    assert again.run(tmp_path / "elsewhere" / "copy", OFTEN, resume=True)
    assert_same(again.weights(), whole)


def test_two_processes_on_one_run_are_refused(tmp_path: Path):
    run = crashed(tmp_path / "run")
    before = sorted(path.name for path in run.iterdir())
    left = run / ".zeroseg-1.pt"
    left.write_bytes(b"of the other process, at work")
    with held(run, inside=True), pytest.raises(OutputError, match=rf"run is in use by process {os.getpid()}"):
        Toy().run(run, OFTEN, resume=True)
    assert left.exists()
    assert Toy().run(run, OFTEN, resume=True)
    assert not left.exists()
    assert [path.name for path in run.iterdir() if path.name.startswith(".")] == []
    assert len(before) == len(list(run.iterdir()))


def test_a_damaged_log_does_not_stop_a_run(tmp_path: Path, whole: list[torch.Tensor]):
    run = crashed(tmp_path / "run")
    path = run / "log.jsonl"
    path.write_bytes(b"\xff\n" + path.read_bytes().replace(b'"step": 2', b'"step": 3'))
    again = Toy()
    assert again.run(run, OFTEN, resume=True)
    assert_same(again.weights(), whole)
    assert [row["step"] for row in read_log(run)] == [0, 1, 3, 4, 5, 6]


FULL = """
import resource, signal, sys
from pathlib import Path
from tests.training.test_run import OFTEN, Toy
from zeroseg.cli.messages import complain

resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
code = 0
try:
    Toy().run(Path(sys.argv[1]), OFTEN, resume=len(sys.argv) > 3)
except Exception as error:
    code = complain(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))  # for coverage
sys.exit(code)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of the size of files are those of Unix")
def test_a_disk_that_takes_no_checkpoint_ends_the_run_with_one_sentence(tmp_path: Path, whole: list[torch.Tensor]):
    """A limit of the size of files stands for a full disk. The run goes on when there is room again."""
    run = crashed(tmp_path / "run")
    before = {path: path.read_bytes() for path in checkpoints_in(run)}
    words = [sys.executable, "-c", FULL, str(run), "4000", "resume"]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert "Cannot write" in ended.stderr
    assert "larger than this system allows" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    assert {path: path.read_bytes() for path in checkpoints_in(run)} == before
    assert not list(run.glob(".zeroseg-*"))
    again = Toy()
    assert again.run(run, OFTEN, resume=True)
    assert_same(again.weights(), whole)


# --- signals during an evaluation -------------------------------------------------------------------


class Looks:
    """Evaluations; at some of them a signal arrives, and what comes after it must not happen."""

    def __init__(self, stops: tuple[int, ...] = ()) -> None:
        self.stops, self.count, self.finished = stops, 0, 0

    def __call__(self) -> dict[str, Any]:
        self.count += 1
        if self.count in self.stops:
            os.kill(os.getpid(), signal.SIGTERM)
            for _ in range(1000):
                pass  # the signal is handled here
        self.finished += 1
        return {"miou": 0.5 + self.count}


@pytest.mark.parametrize(("stop", "done"), [(1, 0), (2, 3), (4, STEPS)], ids=["before", "between", "after"])
def test_a_signal_ends_an_evaluation_and_the_resumed_run_makes_it(
    stop: int, done: int, tmp_path: Path, whole: list[torch.Tensor]
):
    """An evaluation may take minutes; a queue gives a process seconds. Nothing is left out because of it."""
    toy, looks = Toy(), Looks((stop,))
    assert not toy.run(tmp_path / "run", evaluate=looks)
    assert looks.finished == stop - 1
    assert Checkpoints(tmp_path / "run").load()["step"] == done == len(toy.seen)
    again, more = Toy(), Looks()
    assert again.run(tmp_path / "run", evaluate=more, resume=True)
    assert more.finished == 5 - stop
    assert [row["step"] for row in read_log(tmp_path / "run") if "miou" in row] == [-1, 2, 5, 6]
    assert_same(again.weights(), whole)
    last = Toy()
    assert last.run(tmp_path / "run", evaluate=Looks((1,)), resume=True)  # it is not made twice
    assert last.seen == []


def test_a_signal_in_the_step_before_an_evaluation_leaves_it_to_the_resumed_run(tmp_path: Path):
    assert not Toy(on_step=stop_at(2)).run(tmp_path / "run", evaluate=Looks())
    assert [row["step"] for row in read_log(tmp_path / "run") if "miou" in row] == [-1]
    assert Toy().run(tmp_path / "run", evaluate=Looks(), resume=True)
    assert [row["step"] for row in read_log(tmp_path / "run") if "miou" in row] == [-1, 2, 5, 6]


def test_ctrl_c_by_a_program_that_evaluates_is_not_swallowed(tmp_path: Path):
    def press() -> dict[str, float]:
        raise KeyboardInterrupt("of its own")

    with pytest.raises(KeyboardInterrupt, match="of its own"):
        Toy().run(tmp_path / "run", evaluate=press)


# --- the judge --------------------------------------------------------------------------------------


class Best:
    """Remembers the highest value that it saw."""

    def __init__(self) -> None:
        self.value, self.steps = -1.0, list[int]()

    def see(self, step: int, metrics: dict[str, Any]) -> None:
        self.steps.append(step)
        self.value = max(self.value, metrics["miou"])

    def state_dict(self) -> dict[str, Any]:
        return {"value": self.value}

    def load_state_dict(self, state: dict[str, Any] | None) -> None:
        self.value = -1.0 if state is None else state["value"]


def test_what_a_judge_remembers_is_in_the_checkpoint(tmp_path: Path):
    first = Best()
    assert not Toy(on_step=stop_at(4)).run(tmp_path / "run", evaluate=Looks(), judge=first)
    assert first.steps == [-1, 2]
    (tmp_path / "run" / "log.jsonl").write_bytes(b"\xff\n")
    again = Best()
    assert Toy().run(tmp_path / "run", evaluate=Looks(), judge=again, resume=True)
    assert again.steps == [5, 6]
    assert again.value == 2.5  # of the first run's second evaluation


def test_a_run_that_was_killed_before_its_first_checkpoint_begins_again(tmp_path: Path, whole: list[torch.Tensor]):
    """With --resume, so that a job of a queue needs nobody; other settings are refused all the same."""
    run = tmp_path / "run"
    assert Toy().run(run, OFTEN)
    for path in checkpoints_in(run):
        path.unlink()
    again = Toy()
    assert again.run(run, OFTEN, resume=True)
    assert_same(again.weights(), whole)
