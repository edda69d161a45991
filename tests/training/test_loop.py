"""The loop: a stopped run that goes on is the same run, to the last bit; what is not finite does no harm."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from zeroseg.errors import ConfigError, ImageError, TrainingError
from zeroseg.training.batch import Batch
from zeroseg.training.checkpoint import Checkpoints
from zeroseg.training.loop import LoopConfig, Loss
from zeroseg.training.monitor import read_log
from zeroseg.training.optimiser import OptimiserConfig, build_optimiser
from zeroseg.training.run import train
from zeroseg.training.teach import TeachConfig
from zeroseg.training.text_supervision import TextSupervisionConfig
from zeroseg.training.update import update

STEPS = 7
LOOP = LoopConfig(
    steps=STEPS, batch_size=4, precision="fp32", log_every=1, evaluate_every=3, checkpoint_every=100, patience=3,
    workers=0, optimiser=OptimiserConfig(learning_rate=0.05, warmup=0.3),
)  # fmt: skip


@dataclass
class Points(Batch):
    values: Tensor


class Toy:
    """A small regression with noise; `bad_steps` have a loss that is not finite, `on_step` is called at each step."""

    title = "toy"

    def __init__(self, bad_steps: dict[int, str] | None = None, on_step: Callable[[int], None] = lambda _: None):
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(3, 5), nn.LayerNorm(5), nn.GELU(), nn.Linear(5, 1))
        self.bad_steps, self.on_step = bad_steps or {}, on_step
        self.seen: list[int] = []
        self.diagnosed: list[int] = []
        self.loop = LOOP
        self.settings: dict[str, object] = {"toy": 1}

    def batch(self, step: int) -> Points:
        values = np.random.default_rng(step).normal(size=(4, 3)).astype(np.float32)
        return Points(torch.from_numpy(values), names=[f"step{step}-{k}.png" for k in range(4)])

    def losses(self, batch: Points, _progress: float, generator: torch.Generator) -> Iterator[Loss]:
        step = int(batch.names[0].removeprefix("step").split("-")[0])
        self.seen.append(step)
        self.on_step(step)
        noise = torch.randn(4, 1, generator=generator)
        loss = ((self.model(batch.values) - batch.values.sum(dim=1, keepdim=True) - 0.1 * noise) ** 2).mean()
        kind = self.bad_steps.get(step)
        if kind == "gradient":
            loss = loss + (self.model.get_parameter("0.weight")[0, 0] * 0).sqrt()  # a finite loss whose gradient is not
        elif kind:
            loss = loss * float(kind)
        yield Loss(loss, {"part": loss.detach()}, lambda: {"diagnosed": self._diagnose(step)})

    def _diagnose(self, step: int) -> Tensor:
        self.diagnosed.append(step)
        return torch.tensor([step, 1])

    def run(
        self, folder: Path, loop: LoopConfig = LOOP, settings: dict[str, object] | None = None, **options: Any
    ) -> bool:
        self.loop, self.settings = loop, settings or self.settings
        return train(self, folder, quiet=True, **options)

    def weights(self) -> list[Tensor]:
        return [weight.detach().clone() for weight in self.model.parameters()]


def assert_same(ours: list[Tensor], theirs: list[Tensor]) -> None:
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


def stop_at(step: int, number: int = signal.SIGINT) -> Callable[[int], None]:
    """Sends this process a signal in the middle of a step, as Ctrl-C would."""
    return lambda now: os.kill(os.getpid(), number) if now == step else None


# --- going on where it was --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[Tensor]:
    """Final weights of the toy run that nobody interrupted."""
    toy = Toy()
    assert toy.run(tmp_path_factory.mktemp("whole") / "run")
    return toy.weights()


@pytest.mark.parametrize("workers", [0, 1])
def test_an_image_that_can_no_longer_be_read_costs_no_step(workers: int, tmp_path: Path):
    """The steps before it are saved; once it is restored, the run ends as if nothing had happened."""

    class Gone(Toy):
        def batch(self, step: int) -> Points:
            if step == 4:
                raise ImageError("step4-0.png cannot be read: restore it.")
            return super().batch(step)

    loop = replace(LOOP, workers=workers)
    with pytest.raises(ImageError, match=r"^step4-0.png cannot be read: restore it\.$"):
        Gone().run(tmp_path / "run", loop)
    assert Checkpoints(tmp_path / "run").load()["step"] == 4
    resumed, whole = Toy(), Toy()
    assert resumed.run(tmp_path / "run", loop, resume=True)
    assert whole.run(tmp_path / "whole", loop)
    assert resumed.seen == [4, 5, 6]
    for ours, theirs in zip(resumed.model.parameters(), whole.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.skipif(sys.platform != "linux", reason="batches are made by workers on Linux only")
def test_workers_that_need_more_open_files_than_are_granted_are_one_sentence(tmp_path: Path):
    """Else they would wait for ever: torch does not say that it could not start them all."""
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (36, 90))\n"
        "from dataclasses import replace; from pathlib import Path\n"
        "from tests.training.test_loop import LOOP, Toy\n"
        f"Toy().run(Path({str(tmp_path / 'run')!r}), replace(LOOP, workers=8))"
    )
    words = [sys.executable, "-c", code]
    said = subprocess.run(words, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=60)
    expected = "TrainingError: 8 workers need up to 352 open files, and this system grants 90: use fewer workers"
    assert expected in said.stderr.splitlines()[-1]


@settings(max_examples=6, deadline=None)
@given(stops=st.lists(st.integers(0, STEPS - 2), min_size=1, max_size=3, unique=True))
def test_run_stopped_at_any_steps_ends_with_the_very_same_weights(
    stops: list[int], whole: list[Tensor], tmp_path_factory: pytest.TempPathFactory
):
    folder = tmp_path_factory.mktemp("stopped") / "run"
    seen: list[int] = []
    for number, stop in enumerate(sorted(stops)):
        toy = Toy(on_step=stop_at(stop))
        assert not toy.run(folder, resume=number > 0)
        seen += toy.seen
        assert toy.seen[-1] == stop  # the step in work is finished and saved
    last = Toy()
    assert last.run(folder, resume=True)
    assert seen + last.seen == list(range(STEPS))  # no step is lost, none is done twice
    assert_same(last.weights(), whole)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_saves_and_stops_and_its_handler_is_put_back(number: int, tmp_path: Path):
    before = signal.getsignal(number)
    toy = Toy(on_step=stop_at(2, number))
    assert not toy.run(tmp_path / "run")
    assert signal.getsignal(number) == before
    assert Checkpoints(tmp_path / "run").load()["step"] == 3


def test_signal_at_the_last_step_is_a_finished_run(tmp_path: Path, whole: list[Tensor]):
    toy = Toy(on_step=stop_at(STEPS - 1))
    assert toy.run(tmp_path / "run")
    assert_same(toy.weights(), whole)


def test_crash_loses_only_what_came_after_the_last_checkpoint(tmp_path: Path, whole: list[Tensor]):
    def crash(step: int) -> None:
        if step == 5:
            raise RuntimeError("power cut")

    loop = replace(LOOP, checkpoint_every=2)
    with pytest.raises(RuntimeError, match="power cut"):
        Toy(on_step=crash).run(tmp_path / "run", loop)
    again = Toy()
    assert again.run(tmp_path / "run", loop, resume=True)
    assert again.seen[0] == 4
    assert_same(again.weights(), whole)


def test_finished_run_resumes_to_nothing(tmp_path: Path, whole: list[Tensor]):
    assert Toy().run(tmp_path / "run")
    again = Toy()
    assert again.run(tmp_path / "run", resume=True)
    assert again.seen == []
    assert_same(again.weights(), whole)


def test_evaluation_does_not_change_the_run(tmp_path: Path, whole: list[Tensor]):
    def evaluate() -> dict[str, float]:
        return {"miou": float(torch.rand(()))}  # draws from the global stream

    toy = Toy()
    assert toy.run(tmp_path / "run", evaluate=evaluate)
    assert_same(toy.weights(), whole)
    evaluated = [row["step"] for row in read_log(tmp_path / "run") if "miou" in row]
    assert evaluated == [-1, 2, 5, 6]  # before the first step, every third, and after the last


def test_workers_change_nothing(tmp_path: Path, whole: list[Tensor]):
    """Batches made ahead by another process, and a resume with another number of workers."""
    loop = replace(LOOP, workers=1)
    toy = Toy(on_step=stop_at(3))
    assert not toy.run(tmp_path / "run", loop)
    again = Toy()
    assert again.run(tmp_path / "run", resume=True)
    assert_same(again.weights(), whole)


FAILING = """
import sys
from dataclasses import replace
from pathlib import Path
from tests.training.test_loop import LOOP, Toy
from zeroseg.cli.messages import complain
from zeroseg.errors import ImageError

class Unpicklable(Exception):
    def __init__(self, one, other):
        super().__init__(f"{one} {other}")

def fail(step):
    if step == 2:
        raise {"known": ImageError("'a.png' is empty."), "unknown": Unpicklable("no", "map")}[sys.argv[1]]
    return Toy.batch(toy, step)

toy = Toy()
toy.batch = fail
try:
    toy.run(Path(sys.argv[2]), replace(LOOP, workers=2))
except Exception as error:
    sys.exit(complain(error))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="batches are made by other processes on Linux only")
@pytest.mark.parametrize(("kind", "said"), [("known", "'a.png' is empty."), ("unknown", "Unpicklable: no map")])
def test_an_error_in_a_worker_is_one_sentence_and_ends_the_process(kind: str, said: str, tmp_path: Path):
    words = [sys.executable, "-c", FAILING, kind, str(tmp_path / "run")]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


# --- what a resume refuses --------------------------------------------------------------------------


def test_other_settings_are_refused_by_name(tmp_path: Path):
    assert not Toy(on_step=stop_at(2)).run(tmp_path / "run")
    changed = replace(LOOP, optimiser=replace(LOOP.optimiser, learning_rate=0.01))
    with pytest.raises(TrainingError, match=r"other settings \(loop\.optimiser\.learning_rate 0\.\d+, now 0\.01\)"):
        Toy().run(tmp_path / "run", changed, resume=True)
    with pytest.raises(TrainingError, match=r"other settings \(toy 1, now 2\)"):
        Toy().run(tmp_path / "run", settings={"toy": 2}, resume=True)
    with pytest.raises(TrainingError, match=r"other settings \(images not named, now 3\)"):
        Toy().run(tmp_path / "run", settings={"toy": 1, "images": 3}, resume=True)


def test_folder_in_use_and_folder_without_a_run(tmp_path: Path):
    assert not Toy(on_step=stop_at(2)).run(tmp_path / "run")
    with pytest.raises(TrainingError, match="already holds a run"):
        Toy().run(tmp_path / "run")
    with pytest.raises(TrainingError, match="nothing to resume"):
        Toy().run(tmp_path / "new", resume=True)


def forget_settings(run: Path) -> None:
    """Make a run one of an earlier version, whose checkpoints had no settings."""
    checkpoints = Checkpoints(run)
    state = checkpoints.load()
    del state["settings"]
    checkpoints.save(state)


@pytest.mark.parametrize("content", ["{", "[]", "{}", "[" * 100_000, '{"loop": {"steps": 1e400}}', None])
def test_settings_that_are_damaged_or_missing_are_those_of_the_checkpoint(content: str | None, tmp_path: Path):
    """They are written again; a checkpoint of an earlier version has none, so it is said."""
    assert not Toy(on_step=stop_at(2)).run(tmp_path / "run")
    path = tmp_path / "run" / "settings.json"
    whole = path.read_bytes()
    path.unlink()
    if content is not None:
        path.write_text(content, encoding="utf-8")
    shutil.copytree(tmp_path / "run", tmp_path / "former")
    assert Toy().run(tmp_path / "run", resume=True)
    assert path.read_bytes() == whole
    forget_settings(tmp_path / "former")
    with pytest.raises(TrainingError, match=r"missing or damaged|other settings"):
        Toy().run(tmp_path / "former", resume=True)


@pytest.mark.parametrize("content", ["{", None])
def test_settings_that_are_damaged_or_missing_are_said(content: str | None, tmp_path: Path):
    """Where the checkpoints of an earlier version do not have them."""
    assert not Toy(on_step=stop_at(2)).run(tmp_path / "run")
    forget_settings(tmp_path / "run")
    path = tmp_path / "run" / "settings.json"
    path.unlink()
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(TrainingError, match=r"settings\.json is missing or damaged"):
        Toy().run(tmp_path / "run", resume=True)


@pytest.mark.parametrize("name", ["steps", "batch_size", "log_every", "evaluate_every", "checkpoint_every", "patience"])
def test_a_loop_of_nothing_is_refused(name: str):
    with pytest.raises(ConfigError, match=name):
        LoopConfig(**cast(Any, {name: 0}))


@pytest.mark.parametrize("micro_batches", [0, 5])
def test_micro_batches_that_cannot_be_are_refused(micro_batches: int):
    with pytest.raises(ConfigError, match=r"micro_batches must be from 1 to the batch size \(4\)"):
        LoopConfig(batch_size=4, micro_batches=micro_batches)


@pytest.mark.parametrize("config", [TeachConfig, TextSupervisionConfig])
def test_what_contrasts_the_samples_of_a_batch_takes_no_micro_batches(config: type):
    with pytest.raises(ConfigError, match="compares every sample of a batch with every other one"):
        config(loop=LoopConfig(micro_batches=2))


# --- losses that are not finite ---------------------------------------------------------------------


def strict_log(folder: Path) -> list[dict[str, Any]]:
    """The log as any reader of JSON would see it: NaN is no JSON."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} in the log")

    lines = (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line, parse_constant=refuse) for line in lines]


@pytest.mark.parametrize("kind", ["nan", "inf", "gradient"])
def test_bad_step_is_skipped_counted_and_named(kind: str, tmp_path: Path):
    history: list[list[Tensor]] = []
    toy = Toy({3: kind})
    toy.on_step = lambda _: history.append(toy.weights())
    assert toy.run(tmp_path / "run")
    assert_same(history[4], history[3])  # step 3 left the weights as they were
    assert all(not torch.equal(history[k][0], history[k + 1][0]) for k in (0, 1, 2, 4, 5))
    assert all(bool(weight.isfinite().all()) for weight in toy.weights())
    rows = strict_log(tmp_path / "run")
    skipped = [row for row in rows if "skipped" in row]
    assert [(row["step"], row["skipped"], row["images"]) for row in skipped] == [
        (3, 1, [f"step3-{k}.png" for k in range(4)])
    ]


def test_skipped_step_leaves_the_optimisers_memory_alone(tmp_path: Path):
    """AdamW's running means must not see the bad gradient either: later steps would carry it."""
    states: list[dict[str, Any]] = []

    def snapshot(folder: str, bad: dict[int, str], stop: int) -> None:
        toy = Toy(bad, on_step=stop_at(stop))
        assert not toy.run(tmp_path / folder)
        states.append(Checkpoints(tmp_path / folder).load()["optimiser"][0]["state"])

    snapshot("before", {3: "nan"}, 2)
    snapshot("after", {3: "gradient"}, 3)
    before, after = states
    for place, state in before.items():
        for name, value in state.items():
            assert torch.equal(value, after[place][name]), name


def test_run_is_given_up_after_its_patience(tmp_path: Path):
    toy = Toy({1: "nan", 2: "inf", 4: "nan", 5: "nan"})
    with pytest.raises(TrainingError, match="3 times, the last time at step 4") as caught:
        toy.run(tmp_path / "run")
    assert str(tmp_path / "run" / "log.jsonl") in str(caught.value)
    assert toy.seen == [0, 1, 2, 3, 4]
    skipped = [row for row in strict_log(tmp_path / "run") if "skipped" in row]
    assert [row["skipped"] for row in skipped] == [1, 2, 3]


def test_bad_steps_are_counted_across_a_resume(tmp_path: Path):
    bad = {0: "nan", 1: "nan", 5: "nan"}
    assert not Toy(bad, on_step=stop_at(3)).run(tmp_path / "run")
    with pytest.raises(TrainingError, match="3 times"):
        Toy(bad).run(tmp_path / "run", resume=True)


# --- the log ----------------------------------------------------------------------------------------


def test_log_has_a_row_for_every_step_with_loss_parts_and_rate(tmp_path: Path):
    assert Toy().run(tmp_path / "run")
    rows = strict_log(tmp_path / "run")
    assert [row["step"] for row in rows] == list(range(STEPS))
    for row in rows:
        assert {"loss", "part", "gradient_norm", "learning_rate", "images_per_second", "time"} <= row.keys()
    assert rows[0]["learning_rate"] == pytest.approx(0.05 / 2)


@pytest.mark.parametrize("last_line", ["", '{"step": 5, "los'])
def test_log_of_a_resumed_run_has_every_step_once(last_line: str, tmp_path: Path):
    """A crash after the last checkpoint, perhaps in the middle of a line: those steps are logged anew."""

    def crash(step: int) -> None:
        if step == 5:
            raise RuntimeError("power cut")

    loop = replace(LOOP, checkpoint_every=2)
    with pytest.raises(RuntimeError, match="power cut"):
        Toy(on_step=crash).run(tmp_path / "run", loop)
    with (tmp_path / "run" / "log.jsonl").open("a", encoding="utf-8") as log:
        log.write(last_line)
    assert Toy().run(tmp_path / "run", loop, resume=True)
    assert [row["step"] for row in strict_log(tmp_path / "run")] == list(range(STEPS))


def test_gradient_is_clipped_to_its_length(tmp_path: Path):
    """A loss a million times as steep takes a step of the same length."""
    toy = Toy(dict.fromkeys(range(STEPS), "1e6"))
    lengths: list[float] = []
    make_batch = toy.batch

    def measure(step: int) -> Points:
        gradients = [weight.grad for weight in toy.model.parameters() if weight.grad is not None]
        if gradients:  # those of the step before
            lengths.append(float(torch.cat([g.flatten() for g in gradients]).norm()))
        return make_batch(step)

    toy.batch = measure
    assert toy.run(tmp_path / "run")
    assert lengths == pytest.approx([1.0] * (STEPS - 1), rel=1e-4)


@pytest.mark.parametrize("steps", [6, 7])
def test_diagnostics_are_read_in_logged_steps_alone(steps: int, tmp_path: Path):
    """Every third step, and the last; a step that is skipped has them, too, where it is logged."""
    toy = Toy({3: "nan"})
    assert toy.run(tmp_path / "run", replace(LOOP, steps=steps, log_every=3))
    logged = sorted({0, 3, 6, steps - 1} & set(range(steps)))
    assert toy.diagnosed == logged
    rows = [row for row in strict_log(tmp_path / "run") if "loss" in row]
    assert [(row["step"], row["diagnosed"]) for row in rows] == [(step, [step, 1]) for step in logged]
    assert "gradient_norm" not in rows[1]


class InParts(Toy):
    """The same regression, sample by sample; a micro-batch's loss is a quarter of the batch's."""

    def losses(self, batch: Points, progress: float, _generator: torch.Generator) -> Iterator[Loss]:
        self.progress.append(progress)
        for number, part in enumerate(batch.split(4)):
            loss = (self.model(part.values) - part.values.sum(dim=1, keepdim=True)).square().mean() / 4
            bad = self.bad_steps.get(len(self.progress) - 1)
            value = loss * float(bad) if bad and number == 1 else loss
            yield Loss(value, {"part": loss.detach()}, lambda: {"count": torch.tensor(1)})

    def __init__(self, bad_steps: dict[int, str] | None = None):
        super().__init__(bad_steps)
        self.progress: list[float] = []


def test_micro_batches_add_up_to_one_step(tmp_path: Path):
    toy, by_hand = InParts(), Toy().model
    values = toy.batch(0).values
    (by_hand(values) - values.sum(dim=1, keepdim=True)).square().mean().backward()
    optimiser = build_optimiser(toy.model, LOOP.optimiser)
    toy.loop = replace(LOOP, optimiser=replace(LOOP.optimiser, clip_norm=1e9))
    metrics = update(toy, optimiser, toy.batch(0), 0)
    for ours, theirs in zip(toy.model.parameters(), by_hand.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)
    assert metrics["loss"] == pytest.approx(metrics["part"])
    assert metrics["count"] == 4
    assert toy.run(tmp_path / "run")
    assert toy.progress[1:] == [step / STEPS for step in range(STEPS)]


def test_a_step_with_one_bad_micro_batch_is_skipped_whole(tmp_path: Path):
    toy = InParts({1: "nan"})
    before: list[Tensor] = []
    make_batch = toy.batch

    def watch(step: int) -> Points:
        before.append(toy.model.get_parameter("0.weight").detach().clone())
        return make_batch(step)

    toy.batch = watch
    assert toy.run(tmp_path / "run")
    assert torch.equal(before[2], before[1])
    assert not torch.equal(before[3], before[2])
    assert [row["step"] for row in strict_log(tmp_path / "run") if "skipped" in row] == [1]


def test_a_batch_is_split_along_its_images():
    batch = Points(torch.arange(10.0).view(5, 2), names=list("abcde"))
    assert batch.split(1) == [batch]
    parts = batch.split(3)
    assert [part.names for part in parts] == [["a", "b"], ["c", "d"], ["e"]]
    assert torch.equal(torch.cat([part.values for part in parts]), batch.values)
