"""Several processes that share a run: the steps of one process, to rounding; kills and resumes change nothing."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
import torch

from tests.tiny import STUDENT, VIEWS, student, teacher, write_photos
from tests.training import shared_runs
from tests.training.shared_runs import CONFIGS, STEPS, Algorithm
from tests.training.test_loop import stop_at
from zeroseg.errors import ConfigError
from zeroseg.student import Student
from zeroseg.training import processes
from zeroseg.training.checkpoint import Checkpoints
from zeroseg.training.distillation import Distillation, DistillConfig
from zeroseg.training.loop import LoopConfig
from zeroseg.training.monitor import read_log
from zeroseg.training.view_data import ViewBatch, ViewData

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="signals and processes are those of Linux here")
ALGORITHMS = get_args(Algorithm)
ROOT = Path(__file__).parents[2]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def start(what: str, folder: Path, codes: tuple[int, int] = (0, 0)) -> list[str]:
    """Two processes as torchrun starts them, without the seconds that it takes itself; what they said on stderr."""
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "OMP_NUM_THREADS": "1"}
    shared |= {"TORCHELASTIC_RUN_ID": "none"}
    words = [sys.executable, "-m", "tests.training.shared_runs", what, str(folder)]
    running = [
        subprocess.Popen(
            words, cwd=ROOT, stderr=subprocess.PIPE, text=True,
            env={**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in range(2)
    ]  # fmt: skip
    said = [process.communicate(timeout=120)[1] for process in running]
    assert [process.returncode for process in running] == list(codes), "".join(said)
    return said


def weights_of(run: Path) -> dict[str, torch.Tensor]:
    return Checkpoints(run).load()["model"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """A function that makes a folder with photos."""

    def made() -> Path:
        folder = tmp_path_factory.mktemp("shared")
        (folder / "photos").mkdir()
        write_photos(folder / "photos", 9)
        return folder

    return made


@pytest.fixture(scope="module")
def alone(photos: Callable[[], Path]) -> Path:
    """The runs of one process, which computes all micro-batches."""
    folder = photos()
    for algorithm in CONFIGS:
        assert shared_runs.train(folder, algorithm) is not None
    return folder


@pytest.fixture(scope="module")
def together(photos: Callable[[], Path]) -> Path:
    """The same runs by two processes."""
    folder = photos()
    start("everything", folder)
    return folder


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_two_processes_take_the_steps_of_one(algorithm: Algorithm, alone: Path, together: Path):
    """Each has half of the micro-batches; Gumbel noise, flips and kept patches are those of the whole batch."""
    one, two = (read_log(folder / "whole" / algorithm) for folder in (alone, together))
    assert [row["step"] for row in two] == [row["step"] for row in one] == [-1, *range(STEPS), STEPS - 1]
    for ours, theirs in zip(two, one, strict=True):
        assert list(ours) == list(theirs)
        for name in ours.keys() - {"time", "images_per_second"}:
            assert ours[name] == pytest.approx(theirs[name], rel=1e-5, abs=1e-5), name
    first, second = (weights_of(folder / "whole" / algorithm) for folder in (alone, together))
    for name, weight in first.items():
        torch.testing.assert_close(second[name], weight, atol=1e-4, rtol=1e-3)
    ours, theirs = (Student.from_pretrained(folder / "whole" / algorithm / "student") for folder in (together, alone))
    for name, weight in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], weight, atol=1e-3, rtol=1e-2)


def test_the_first_process_alone_evaluates_and_refuses(together: Path):
    """One sentence, not one for each process; the others just end."""
    measured = [row["measured_by"] for row in read_log(together / "whole" / "muon") if "measured_by" in row]
    assert measured == [0, 0]
    first, second = (json.loads((together / f"refused-{rank}.json").read_text(encoding="utf-8")) for rank in (0, 1))
    assert first[0].startswith(
        "ConfigError: micro_batches must be a multiple of the 2 processes, not 1; a training whose"
    )
    assert first[1] == "TrainingError: this training (toy) cannot be shared: start one process."
    assert second == ["SystemExit: 1"] * 2


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_checkpoint_is_that_of_one_process(algorithm: Algorithm, alone: Path, together: Path):
    """The momentum of Muon is spread over the processes; the checkpoint has all of it."""
    one, two = (Checkpoints(folder / "whole" / algorithm).load()["optimiser"] for folder in (alone, together))
    for ours, theirs in zip(two, one, strict=True):
        assert ours["state"].keys() == theirs["state"].keys()
        for number, state in theirs["state"].items():
            for name, value in state.items():
                torch.testing.assert_close(ours["state"][number][name], value, atol=1e-4, rtol=1e-2)


def test_a_run_goes_on_with_other_numbers_of_processes(together: Path, alone: Path):
    """Two processes, of which one gets a signal; one process; two. All stop after the same step."""
    folder = together
    for algorithm in CONFIGS:
        assert Checkpoints(folder / "stopped" / algorithm).load()["step"] == 3
        with pytest.MonkeyPatch.context() as patched:
            batch = ViewData.batch

            def stopping(self: ViewData, step: int, batch: Callable[[ViewData, int], ViewBatch] = batch) -> ViewBatch:
                stop_at(4, signal.SIGTERM)(step)
                return batch(self, step)

            patched.setattr(ViewData, "batch", stopping)
            assert shared_runs.train(folder, algorithm, "stopped", resume=True) is None
        assert Checkpoints(folder / "stopped" / algorithm).load()["step"] == 5
    start("resumed", folder)
    for algorithm in CONFIGS:
        whole = weights_of(alone / "whole" / algorithm)
        for name, weight in weights_of(folder / "stopped" / algorithm).items():
            torch.testing.assert_close(weight, whole[name], atol=1e-4, rtol=1e-3)


def test_torchrun_restarts_a_run_whose_process_was_killed(photos: Callable[[], Path], together: Path):
    """SIGKILL after four steps: the run resumes from its checkpoint by itself, and ends with the very same weights."""
    folder = photos()
    words = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--max-restarts", "1"]
    words += ["--master-port", str(free_port()), "-m", "tests.training.shared_runs", "killed", str(folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=180, check=False)
    assert ended.returncode == 0, ended.stderr
    expected = weights_of(together / "whole" / "muon")
    for name, weight in weights_of(folder / "whole" / "muon").items():
        assert torch.equal(weight, expected[name]), name
    assert [row["step"] for row in read_log(folder / "whole" / "muon") if "loss" in row] == list(range(STEPS))


def test_processes_that_see_other_images_do_not_train_together(photos: Callable[[], Path]):
    """As on two machines with copies of a folder: the second would have other images at the same places."""
    said = start("unequal", photos(), (1, 1))
    assert said[0] == ""
    expected = (
        r"a process of this run has other settings than the first one \(images 9, here 8; images with other names"
    )
    assert re.search(expected, said[1])


def test_an_image_that_one_process_cannot_read_costs_no_step(photos: Callable[[], Path]):
    """All save what is done, and end; the process that cannot read it says so."""
    folder = photos()
    said = start("unreadable", folder, (1, 1))
    assert said == ["", "zeroseg: 'photo.png' cannot be read.\n"]
    assert Checkpoints(folder / "whole" / "muon").load()["step"] == 3


def test_an_error_that_all_processes_have_is_said_once(photos: Callable[[], Path]):
    """torchrun ends all processes when one has ended: the one that says it ends first."""
    said = start("wrong", photos(), (1, 1))
    assert sorted(map(bool, said)) == [False, True]
    assert "".join(said).count("zeroseg: ") == 1


def test_processes_stop_when_torchrun_is_killed(photos: Callable[[], Path]):
    """They would go on for ever, and hold run and GPUs; what they have done is saved."""
    folder = photos()
    words = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", str(free_port())]
    words += ["-m", "tests.training.shared_runs", "launcher_killed", str(folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr  # and no process holds its pipes any more
    assert Checkpoints(folder / "whole" / "muon").load()["step"] == 4
    assert "Traceback" not in ended.stderr


# --- without other processes ------------------------------------------------------------------------


@pytest.mark.parametrize("grouping", ["light", "groupvit"])
def test_a_later_micro_batch_alone_has_its_own_noise(grouping: str, tmp_path: Path):
    """A process that passes over the parts of others must draw what they draw."""
    sizes = replace(STUDENT, grouping="groupvit") if grouping == "groupvit" else STUDENT
    loop = LoopConfig(batch_size=7, micro_batches=3, precision="fp32")
    config = DistillConfig(student=sizes, views=VIEWS, loop=loop)
    data = ViewData(write_photos(tmp_path, 7), None, 32, loop)
    objective = Distillation(student(sizes).train(), config, data, teacher())
    batch = data.batch(0)
    whole = [float(loss.value.detach()) for loss in objective.losses(batch, 0.5, torch.Generator().manual_seed(3))]
    for number, places in enumerate(([0, 1, 2], [3, 4], [5, 6])):
        tensors = {"images": batch.images[places], "features": batch.features[places], "flipped": batch.flipped[places]}
        part = replace(batch, **tensors, parts=range(number, number + 1))
        (loss,) = objective.losses(part, 0.5, torch.Generator().manual_seed(3))
        assert float(loss.value.detach()) == pytest.approx(whole[number], abs=1e-6)


def test_a_process_reads_the_images_of_its_own_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    loop = LoopConfig(batch_size=7, micro_batches=4)
    images = write_photos(tmp_path, 7)
    whole = ViewData(images, None, 32, loop, flips=True).batch(3)
    found = list[torch.Tensor]()
    for rank in range(2):
        monkeypatch.setattr(processes, "parts_of", lambda parts, rank=rank: range(rank, parts, 2))
        part = ViewData(images, None, 32, loop, flips=True).batch(3)
        assert part.names == whole.names
        assert part.parts == range(rank, 4, 2)
        found += [
            torch.cat([some.images.flatten(1).float(), some.flipped[:, None].float()], 1) for some in part.split(4)
        ]
    first, third, second, fourth = found
    everything = torch.cat([first, second, third, fourth])
    assert torch.equal(everything[:, :-1], whole.images.flatten(1).float())
    assert torch.equal(everything[:, -1].bool(), whole.flipped)


def test_one_process_is_no_group():
    with processes.joined():
        assert (processes.count(), processes.rank(), processes.parts_of(3)) == (1, 0, None)
        assert processes.any_of(True)
        assert processes.on_first(lambda: 7) == 7
        assert processes.summed({"loss": 0.5}) == {"loss": 0.5}


@pytest.mark.parametrize(
    ("batch", "parts", "count", "said"),
    [
        (2, 1, 4, "4 processes need batches of 4 images or more, not 2"),
        (8, 3, 2, "micro_batches must be a multiple of the 2 processes, not 3"),
    ],
)
def test_batches_that_cannot_be_shared_are_refused(batch: int, parts: int, count: int, said: str):
    with pytest.raises(ConfigError, match=said):
        LoopConfig(batch_size=batch, micro_batches=parts).shared_by(count)


def test_micro_batches_grow_to_the_number_of_processes():
    assert LoopConfig(batch_size=8).shared_by(4).micro_batches == 4
    assert LoopConfig(batch_size=8, micro_batches=4).shared_by(2).micro_batches == 4


def test_processes_without_a_gpu_each_are_refused(monkeypatch: pytest.MonkeyPatch):
    for name, value in {"WORLD_SIZE": "2", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ConfigError, match=r"there are 1: start torchrun --nproc-per-node 1"), processes.joined():
        pass
