"""Runs of several processes, for `test_processes`: `python -m tests.training.shared_runs ACT FOLDER`.

Each process is started with the variables of torchrun, or by torchrun itself.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch

from tests.tiny import PATCH_STUDENT, STUDENT, VIEWS, teacher
from tests.training.test_loop import Toy
from zeroseg.cli.messages import complain
from zeroseg.errors import ImageError, ZeroSegError
from zeroseg.student import Student
from zeroseg.training import processes
from zeroseg.training.distill import distill
from zeroseg.training.distillation import DistillConfig
from zeroseg.training.loop import LoopConfig
from zeroseg.training.loss_weights import LossWeights
from zeroseg.training.optimiser import OptimiserConfig
from zeroseg.training.shared_muon import SharedMuon
from zeroseg.training.view_data import ViewBatch, ViewData

Algorithm = Literal["adamw", "muon"]
STEPS = 6
LOOP = LoopConfig(
    steps=STEPS, batch_size=6, precision="fp32", log_every=1, checkpoint_every=2, workers=0, micro_batches=2,
    optimiser=OptimiserConfig(learning_rate=1e-2),
)  # fmt: skip
CONFIGS: dict[Algorithm, DistillConfig] = {
    "adamw": DistillConfig(student=STUDENT, views=VIEWS, loop=LOOP, flips=True),  # with Gumbel noise
    "muon": DistillConfig(  # with a small rate: it rounds to bfloat16, which makes of 1e-8 in a gradient 1e-3
        student=PATCH_STUDENT, views=VIEWS, losses=LossWeights(0.0, overlap=1.0, patch_view=1.0), flips=True,
        loop=replace(LOOP, optimiser=OptimiserConfig("muon", 1e-4), micro_batches=4),
    ),
}  # fmt: skip


def train(
    folder: Path, algorithm: Algorithm, kind: str = "whole", resume: bool = False, images: slice = slice(None)
) -> Student | None:
    """A run of six steps, evaluated before it and after it by the first process."""
    photos = sorted((folder / "photos").glob("*.png"))[images]

    def evaluate(_: Student) -> dict[str, int]:
        return {"measured_by": processes.rank()}

    run = folder / kind / algorithm
    return distill(photos, None, CONFIGS[algorithm], run, teacher(), evaluate, resume=resume, quiet=True)


def batch_at(when: int, act: Callable[[], None]) -> None:
    """Something happens as this process makes the batch of a step."""
    batch = ViewData.batch

    def made(self: ViewData, step: int) -> ViewBatch:
        if step == when:
            act()
        return batch(self, step)

    ViewData.batch = made


def signal_at(when: int, number: int) -> None:
    """The last process gets a signal, as it makes the batch of a step."""
    if processes.rank() == processes.count() - 1:
        batch_at(when, lambda: os.kill(os.getpid(), number))


def numbers() -> None:
    """What processes tell each other."""
    rank = processes.rank()
    assert processes.count() == 2
    assert processes.parts_of(5) == range(rank, 5, 2)
    assert processes.any_of(rank == 1)
    assert not processes.any_of(False)
    assert processes.on_first(lambda: f"from {rank}") == "from 0"
    assert processes.from_process(1, [rank, "x"]) == [1, "x"]
    sums = processes.summed({"loss": 0.25 + rank, "counts": [1, rank], "steps": 3})
    assert sums == {"loss": 1.5, "counts": [2, 1], "steps": 6}
    assert isinstance(sums["steps"], int)
    assert processes.summed({"loss": float("inf") if rank else 1.0})["loss"] == float("inf")
    processes.BUCKET = 10
    tensors = [torch.full((n, 2), float(rank + n)) for n in (1, 3, 9, 2)] + [torch.full((2,), rank + 1)]
    processes.sum_all(tensors)
    assert [float(tensor.flatten()[0]) for tensor in tensors] == [3.0, 7.0, 19.0, 5.0, 3.0]
    tensors = [torch.full((n,), float(rank)) for n in (4, 30)]
    processes.broadcast(tensors, 1)
    assert all(bool((tensor == 1).all()) for tensor in tensors)


def muon() -> None:
    """With the same gradients, matrices and state are those of torch's Muon, to the last bit; so is what goes on."""
    random = torch.Generator().manual_seed(0)
    weights = [torch.nn.Parameter(torch.randn(4, 3 + n, generator=random)) for n in range(5)]
    copies = [torch.nn.Parameter(weight.detach().clone()) for weight in weights]
    plain, shared = torch.optim.Muon(copies, lr=0.1), SharedMuon(weights, lr=0.1)
    for step in range(6):
        for number, (copy, weight) in enumerate(zip(copies, weights, strict=True)):
            has_one = number != 3 or step > 3  # a matrix whose momentum comes later
            copy.grad = torch.randn(copy.shape, generator=random) if has_one else None
            weight.grad = None if copy.grad is None else copy.grad.clone()
        plain.step()
        shared.step()
        assert all(torch.equal(copy, weight) for copy, weight in zip(copies, weights, strict=True))
        assert len(shared.state) <= 3
        whole, own = plain.state_dict(), shared.state_dict()
        if processes.is_first():
            assert own["state"].keys() == whole["state"].keys()
            for number, state in whole["state"].items():
                assert torch.equal(own["state"][number]["momentum_buffer"], state["momentum_buffer"])
        shared = SharedMuon(weights, lr=0.1)
        shared.load_state_dict(deepcopy(whole))


def refusals(folder: Path) -> list[str]:
    """What is refused, and what each process does then."""
    said = list[str]()
    toy = Toy()
    for loop in (replace(toy.loop, micro_batches=1), replace(toy.loop, micro_batches=2)):
        try:
            toy.run(folder / f"toy-{loop.micro_batches}", loop)
        except (ZeroSegError, SystemExit) as error:
            said.append(f"{type(error).__name__}: {error}")
    return said


def everything(folder: Path) -> None:
    """All that two processes do as they should; the last runs are stopped."""
    numbers()
    muon()
    (folder / f"refused-{processes.rank()}.json").write_text(json.dumps(refusals(folder)), encoding="utf-8")
    for algorithm in CONFIGS:
        assert train(folder, algorithm) is not None
    signal_at(2, signal.SIGTERM)
    for algorithm in CONFIGS:
        assert train(folder, algorithm, "stopped") is None


def resumed(folder: Path) -> None:
    """The runs that were stopped go on."""
    for algorithm in CONFIGS:
        assert train(folder, algorithm, "stopped", resume=True) is not None


def killed(folder: Path) -> None:
    """A process is killed, once."""
    if not processes.is_restarted():
        signal_at(3, signal.SIGKILL)
    assert train(folder, "muon") is not None


def launcher_killed(folder: Path) -> None:
    """The launcher of the processes is killed."""
    if processes.is_first():
        batch_at(3, lambda: os.kill(os.getppid(), signal.SIGKILL))
    assert train(folder, "muon") is None


def unequal(folder: Path) -> None:
    """The second process has one image less."""
    train(folder, "adamw", images=slice(processes.rank(), None))


def unreadable(folder: Path) -> None:
    """The second process cannot read an image of the fourth batch."""

    def fail() -> None:
        raise ImageError("'photo.png' cannot be read.")

    if processes.rank() == 1:
        batch_at(3, fail)
    train(folder, "muon")


def wrong(folder: Path) -> None:
    """All processes have the same error."""
    train(folder, "adamw", images=slice(0, 0))


ACTS = {act.__name__: act for act in (everything, resumed, killed, launcher_killed, unequal, unreadable, wrong)}

if __name__ == "__main__":
    try:
        with processes.joined():
            torch.set_num_threads(1)
            ACTS[sys.argv[1]](Path(sys.argv[2]))
    except ZeroSegError as error:
        sys.exit(complain(error))
