"""The loop: a stopped run that goes on is the same run, to the last bit; what is not finite does no harm."""

import json
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.tiny import PATCH_STUDENT, STUDENT, VIEWS, teacher, write_photos
from zeroseg.errors import CacheError, ConfigError, TrainingError
from zeroseg.feature_cache import FeatureCache, build_cache
from zeroseg.student import Student
from zeroseg.training.distill import DistillConfig, LossWeights, ViewBatch, distill
from zeroseg.training.loop import Batch, LoopConfig, train
from zeroseg.training.monitor import read_log
from zeroseg.training.optimiser import OptimiserConfig

STEPS = 7
LOOP = LoopConfig(
    steps=STEPS, batch_size=4, precision="fp32", log_every=1, evaluate_every=3, checkpoint_every=100, patience=3,
    workers=0, optimiser=OptimiserConfig(learning_rate=0.05, warmup=0.3),
)  # fmt: skip


@dataclass
class Points(Batch):
    values: Tensor


class Toy:
    """A small regression with noise; `bad_steps` have a loss that is not finite, `on_step` hears of each step."""

    def __init__(self, bad_steps: dict[int, str] | None = None, on_step: Callable[[int], None] = lambda _: None):
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(3, 5), nn.LayerNorm(5), nn.GELU(), nn.Linear(5, 1))
        self.bad_steps, self.on_step = bad_steps or {}, on_step
        self.seen: list[int] = []

    def batch(self, step: int) -> Points:
        values = np.random.default_rng(step).normal(size=(4, 3)).astype(np.float32)
        return Points(torch.from_numpy(values), names=[f"step{step}-{k}.png" for k in range(4)])

    def loss(self, batch: Points, generator: torch.Generator) -> tuple[Tensor, dict[str, object]]:
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
        return loss, {"part": float(loss.detach())}

    def run(self, folder: Path, loop: LoopConfig = LOOP, **options: Any) -> bool:
        given_settings = options.pop("settings", {"toy": 1})
        return train(self.model, self.batch, self.loss, loop, folder, "toy", given_settings, quiet=True, **options)

    def weights(self) -> list[Tensor]:
        return [weight.detach().clone() for weight in self.model.parameters()]


def assert_same(ours: list[Tensor], theirs: list[Tensor]) -> None:
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


def stop_at(step: int, number: int = signal.SIGINT) -> Callable[[int], None]:
    """Sends this process a signal in the middle of a step, as Ctrl-C would."""
    return lambda now: os.kill(os.getpid(), number) if now == step else None


def test_batch_moves_with_all_its_tensors_and_keeps_the_rest():
    parts = (torch.zeros(2, 3, 4, 4, dtype=torch.uint8), torch.zeros(2, 5, 6), torch.zeros(2, dtype=torch.bool))
    batch = ViewBatch(*parts, progress=0.5, names=["a", "b"])
    moved = batch.to(torch.device("meta"))
    assert {part.device.type for part in (moved.images, moved.features, moved.mirrored)} == {"meta"}
    assert (type(moved), moved.progress, moved.names) == (ViewBatch, 0.5, ["a", "b"])
    assert batch.images.device.type == "cpu"


# --- going on where it was --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[Tensor]:
    """Final weights of the toy run that nobody interrupted."""
    toy = Toy()
    assert toy.run(tmp_path_factory.mktemp("whole") / "run")
    return toy.weights()


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
    assert torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)["step"] == 3


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


# --- what a resume refuses --------------------------------------------------------------------------


def test_other_settings_are_refused_by_name(tmp_path: Path):
    assert not Toy(on_step=stop_at(2)).run(tmp_path / "run")
    changed = replace(LOOP, optimiser=replace(LOOP.optimiser, learning_rate=0.01))
    with pytest.raises(TrainingError, match=r"other settings \(loop\)"):
        Toy().run(tmp_path / "run", changed, resume=True)
    with pytest.raises(TrainingError, match=r"other settings \(toy\)"):
        Toy().run(tmp_path / "run", settings={"toy": 2}, resume=True)
    with pytest.raises(TrainingError, match=r"other settings \(images\)"):
        Toy().run(tmp_path / "run", settings={"toy": 1, "images": 3}, resume=True)


def test_folder_in_use_and_folder_without_a_run(tmp_path: Path):
    assert not Toy(on_step=stop_at(2)).run(tmp_path / "run")
    with pytest.raises(TrainingError, match="already holds a run"):
        Toy().run(tmp_path / "run")
    with pytest.raises(TrainingError, match="nothing to resume"):
        Toy().run(tmp_path / "new", resume=True)


@pytest.mark.parametrize("content", ["{", "[]", "{}", None])
def test_settings_that_are_damaged_or_missing_are_said(content: str | None, tmp_path: Path):
    assert not Toy(on_step=stop_at(2)).run(tmp_path / "run")
    path = tmp_path / "run" / "settings.json"
    path.unlink()
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(TrainingError, match=r"settings\.json is missing or damaged"):
        Toy().run(tmp_path / "run", resume=True)


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
        states.append(torch.load(tmp_path / folder / "checkpoint.pt", weights_only=True)["optimiser"][0]["state"])

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

    def measure(_: int) -> None:
        gradients = [weight.grad for weight in toy.model.parameters() if weight.grad is not None]
        if gradients:
            lengths.append(float(torch.cat([g.flatten() for g in gradients]).norm()))

    toy.on_step = measure
    assert toy.run(tmp_path / "run")
    assert lengths == pytest.approx([1.0] * (STEPS - 1), rel=1e-4)


# --- a real distillation ----------------------------------------------------------------------------

PAPER = DistillConfig(student=STUDENT, views=VIEWS, losses=LossWeights(), loop=replace(LOOP, steps=5))
OURS = DistillConfig(
    student=PATCH_STUDENT,
    views=VIEWS,
    losses=LossWeights(reconstruction=0.0, distillation=0.5, matching=0.0, overlap=1.0, patch_view=1.0, dense=1.0),
    flips=True,
    centre=True,
    loop=replace(LOOP, steps=5),
)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], FeatureCache]:
    folder = tmp_path_factory.mktemp("pictures")
    paths = write_photos(folder, 8)
    build_cache(paths, teacher(), VIEWS, folder / "cache")
    return paths, FeatureCache(folder / "cache")


@pytest.mark.parametrize("config", [PAPER, OURS], ids=["paper", "ours"])
@pytest.mark.parametrize("stop", [0, 2, 3])
def test_distillation_stopped_and_resumed_is_the_same_to_the_last_bit(
    config: DistillConfig, stop: int, pictures: tuple[list[Path], FeatureCache], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    images, cache = pictures
    whole = distill(images, cache, config, tmp_path / "whole", quiet=True)
    calls = 0
    forward = Student.forward

    def stopping(self: Student, *given: Any) -> object:
        nonlocal calls
        if calls == stop:
            os.kill(os.getpid(), signal.SIGINT)
        calls += 1
        return forward(self, *given)

    with monkeypatch.context() as patch:
        patch.setattr(Student, "forward", stopping)
        assert distill(images, cache, config, tmp_path / "stopped", quiet=True) is None
    torch.manual_seed(99)  # whatever else has drawn from the global stream in between
    resumed = distill(images, cache, config, tmp_path / "stopped", resume=True, quiet=True)
    assert whole is not None
    assert resumed is not None
    ours, theirs = resumed.state_dict(), whole.state_dict()
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
    assert calls == stop + 1
    saved = (tmp_path / "stopped" / "student" / "model.safetensors").read_bytes()
    assert saved == (tmp_path / "whole" / "student" / "model.safetensors").read_bytes()


@pytest.mark.parametrize("config", [PAPER, OURS], ids=["paper", "ours"])
def test_distillation_learns_and_logs_its_losses_and_instruments(
    config: DistillConfig, pictures: tuple[list[Path], FeatureCache], tmp_path: Path
):
    images, cache = pictures
    longer = replace(config, loop=replace(config.loop, steps=30, batch_size=8))
    assert distill(images, cache, longer, tmp_path / "run", quiet=True) is not None
    rows = [row for row in strict_log(tmp_path / "run") if "loss" in row]
    used = [name for name, weight in vars(config.losses).items() if weight]
    for row in rows:
        total = sum(vars(config.losses)[name] * row[name] for name in used)
        assert row["loss"] == pytest.approx(total, rel=1e-4)
        assert {"token_cosine", "segments_in_use", "assignment_entropy", "views_chosen", "nearest"} <= row.keys()
        assert len(row["nearest"]) == 4  # the local views
        assert sum(row["nearest"]) == 8 * 3  # eight pictures, three tokens each
    assert rows[-1]["loss"] < 0.9 * rows[0]["loss"]


def test_distillation_refuses_what_does_not_fit(pictures: tuple[list[Path], FeatureCache], tmp_path: Path):
    images, cache = pictures
    other_views = replace(PAPER, views=replace(VIEWS, grids=(1, 3)))
    with pytest.raises(CacheError, match="views"):
        distill(images, cache, other_views, tmp_path / "a", quiet=True)
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    (path,) = write_photos(stranger, 1, side=48)
    with pytest.raises(TrainingError, match="none of the 1 images"):
        distill([path], cache, PAPER, tmp_path / "b", quiet=True)


def test_distillation_from_the_whole_image_alone(tmp_path: Path):
    """The first row of the paper's tables 3 and 4: one view, no segment matching, nothing to be nearest to."""
    images = write_photos(tmp_path, 2)
    whole_image = replace(VIEWS, grids=(1,))
    build_cache(images, teacher(), whole_image, tmp_path / "cache")
    base = replace(PAPER, views=whole_image, losses=LossWeights(matching=0.0), loop=replace(LOOP, steps=2))
    assert distill(images, FeatureCache(tmp_path / "cache"), base, tmp_path / "run", quiet=True) is not None


def test_recipes_that_cannot_be_are_refused_before_they_run():
    with pytest.raises(ConfigError, match="segment matching needs local views"):
        replace(PAPER, views=replace(VIEWS, grids=(1,)))  # segment matching without local views
    with pytest.raises(ConfigError, match="every loss has weight 0"):
        replace(PAPER, losses=LossWeights(reconstruction=0.0, distillation=0.0, matching=0.0))  # nothing to learn
    with pytest.raises(ConfigError, match="mask ratio"):
        replace(PAPER, mask_ratio=1.0)
    with pytest.raises(ConfigError, match="decoder_layers"):
        replace(PAPER, student=replace(STUDENT, decoder_layers=0))
    with pytest.raises(ConfigError, match="patch_head"):
        replace(PAPER, losses=LossWeights(dense=1.0))
