"""Options of the loop: averaged weights, less memory, compiled blocks, float16, and where numbers go."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch import nn

from tests.tiny import LITE_STUDENT, STUDENT, VIEWS, student, teacher, write_photos
from tests.training.test_loop import LOOP, STEPS, Toy, assert_same, stop_at
from zeroseg.errors import ConfigError
from zeroseg.student import Student
from zeroseg.training import forwards
from zeroseg.training.checkpoint import Checkpoints
from zeroseg.training.distill import distill
from zeroseg.training.distillation import Distillation, DistillConfig
from zeroseg.training.forwards import adapted
from zeroseg.training.gradient_scale import FIRST, PATIENCE, GradientScale
from zeroseg.training.loop import LoopConfig
from zeroseg.training.monitor import read_log
from zeroseg.training.optimiser import build_optimiser
from zeroseg.training.run_settings import is_run
from zeroseg.training.update import update
from zeroseg.training.view_data import ViewData

# --- the average of weights -------------------------------------------------------------------------

AVERAGED = replace(LOOP, ema=0.75)


def test_the_average_is_that_of_the_weights_after_each_step(tmp_path: Path):
    """Against the definition, in float64; the model ends with it, and evaluations see it."""
    history, seen = list[torch.Tensor](), list[torch.Tensor]()
    plain = Toy(on_step=lambda _: history.append(plain.weights()[0].double()))
    assert plain.run(tmp_path / "plain")
    history.append(plain.weights()[0].double())
    expected = [history[0]]
    for weights in history[1:]:
        expected.append(0.75 * expected[-1] + 0.25 * weights)
    toy = Toy()

    def evaluate() -> dict[str, float]:
        seen.append(toy.weights()[0])
        return {"miou": 0.5}

    assert toy.run(tmp_path / "averaged", AVERAGED, evaluate=evaluate)
    torch.testing.assert_close(toy.weights()[0].double(), expected[-1], atol=1e-6, rtol=1e-5)
    for ours, step in zip(seen, (0, 3, 6, 7), strict=True):
        torch.testing.assert_close(ours.double(), expected[step], atol=1e-6, rtol=1e-5)
    losses = [[row["loss"] for row in read_log(tmp_path / name) if "loss" in row] for name in ("plain", "averaged")]
    assert losses[0] == losses[1]  # training itself does not change


def test_an_averaged_run_that_was_stopped_ends_with_the_very_same_weights(tmp_path: Path):
    whole, first, last = Toy(), Toy(on_step=stop_at(3)), Toy()
    assert whole.run(tmp_path / "whole", AVERAGED)
    assert not first.run(tmp_path / "run", AVERAGED)
    assert last.run(tmp_path / "run", AVERAGED, resume=True)
    assert_same(last.weights(), whole.weights())
    again = Toy()
    assert again.run(tmp_path / "run", AVERAGED, resume=True)  # a finished one
    assert_same(again.weights(), whole.weights())


@pytest.mark.parametrize("decay", [-0.1, 1.0])
def test_a_decay_of_no_average_is_refused(decay: float):
    with pytest.raises(ConfigError, match="ema must be 0 or more and below 1"):
        LoopConfig(ema=decay)


# --- other forward passes ---------------------------------------------------------------------------


def one_step(folder: Path, **options: bool) -> tuple[list[torch.Tensor], Student]:
    """The gradients of a step with Gumbel noise and micro-batches."""
    loop = replace(LOOP, micro_batches=2, **options)
    config = DistillConfig(student=replace(STUDENT, layers=3), views=VIEWS, loop=loop)
    model = student(config.student)
    data = ViewData(sorted(folder.glob("*.png")), None, 32, loop)
    objective = Distillation(model, config, data, teacher())
    with adapted(model, loop.compile, loop.checkpoint_activations):
        update(objective, build_optimiser(model, loop.optimiser), data.batch(0), 0)
    return [weight.grad for weight in model.parameters() if weight.grad is not None], model


def test_less_memory_gives_the_same_gradients(tmp_path: Path):
    write_photos(tmp_path, 5)
    plain, _ = one_step(tmp_path)
    less, model = one_step(tmp_path, checkpoint_activations=True)
    assert_same(less, plain)
    assert "forward" not in model.encoder.get_submodule("blocks.0").__dict__  # as it was before


def test_less_memory_keeps_the_input_of_blocks_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Each block of the encoder runs a second time in the backward pass, and no other one."""
    write_photos(tmp_path, 5)
    runs = dict[str, int]()
    for option in (False, True):
        count = 0
        forward = forwards.Block.forward

        def counted(self: nn.Module, x: torch.Tensor, forward: Any = forward) -> torch.Tensor:
            nonlocal count
            count += 1
            return forward(self, x)

        with monkeypatch.context() as patched:
            patched.setattr(forwards.Block, "forward", counted)
            one_step(tmp_path, checkpoint_activations=option)
        runs[str(option)] = count
    assert runs["True"] - runs["False"] == 3 * 2  # blocks, micro-batches


def test_blocks_are_compiled_and_nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """With a compiler that changes nothing: it takes a minute on a CPU. Gradients stay the same."""
    write_photos(tmp_path, 5)
    compiled = list[Any]()

    def compile_(forward: Any, dynamic: bool) -> Any:
        assert not dynamic
        compiled.append(forward.__self__)
        return forward

    plain, _ = one_step(tmp_path)
    monkeypatch.setattr(torch, "compile", compile_)
    both, model = one_step(tmp_path, compile=True, checkpoint_activations=True)
    assert_same(both, plain)
    assert set(compiled) == {module for module in model.modules() if isinstance(module, forwards.Block)}
    assert not any("forward" in module.__dict__ for module in model.modules())


def test_compilation_without_a_gpu_is_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match="compile needs a GPU with CUDA"):
        Toy().run(tmp_path / "run", replace(LOOP, compile=True))


def test_a_model_without_blocks_is_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match="checkpoint_activations is for students with a ViT as encoder"):
        Toy().run(tmp_path / "run", replace(LOOP, checkpoint_activations=True))
    assert not is_run(tmp_path / "run")  # so the corrected command may name the same folder
    with pytest.raises(ConfigError, match="compile is for students with"), adapted(Toy().model, True, False):
        pass
    with pytest.raises(ConfigError, match="checkpoint_activations is for"), adapted(student(LITE_STUDENT), False, True):
        pass


def test_what_changes_only_speed_may_change_at_a_resume(tmp_path: Path):
    images = write_photos(tmp_path, 5)
    config = DistillConfig(student=STUDENT, views=VIEWS, loop=replace(LOOP, checkpoint_every=3))
    whole = distill(images, None, config, tmp_path / "whole", teacher(), quiet=True)
    assert distill(images, None, config, tmp_path / "run", teacher(), quiet=True) is not None
    Checkpoints(tmp_path / "run").load()
    newest = max((tmp_path / "run").glob("checkpoint-*.pt"))
    newest.unlink()  # back to step 6
    less = replace(config, loop=replace(config.loop, checkpoint_activations=True))
    resumed = distill(images, None, less, tmp_path / "run", teacher(), quiet=True, resume=True)
    assert whole is not None
    assert resumed is not None
    assert all(torch.equal(weight, whole.state_dict()[name]) for name, weight in resumed.state_dict().items())


# --- float16 ----------------------------------------------------------------------------------------


def test_float16_without_a_gpu_is_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match='precision "fp16" needs a GPU with CUDA: choose bf16 or fp32'):
        Toy().run(tmp_path / "run", replace(LOOP, precision="fp16"))
    assert not (tmp_path / "run" / "settings.json").exists()


def test_the_factor_falls_at_an_overflow_and_grows_again():
    scale = GradientScale()
    assert scale.value == FIRST
    assert scale.adapt(finite=False)
    assert scale.value == FIRST / 2
    for _ in range(PATIENCE):
        assert not scale.adapt(finite=True)
    assert scale.value == FIRST
    other = GradientScale()
    other.load_state_dict(scale.state_dict())
    assert (other.value, other.good) == (FIRST, 0)
    while scale.value > 1:
        scale.adapt(finite=False)
    assert not scale.adapt(finite=False)  # it cannot be the factor any more


def test_a_factor_changes_no_step(tmp_path: Path):
    """A power of two is exact. An overflow is a step that is left out, and no bad one."""
    plain, scaled = Toy(), Toy()
    assert plain.run(tmp_path / "run")
    optimiser = build_optimiser(scaled.model, LOOP.optimiser)
    optimiser.scale = GradientScale()
    for step in range(STEPS):
        assert "gradient_norm" in update(scaled, optimiser, scaled.batch(step), step)
    assert_same(scaled.weights(), plain.weights())
    optimiser.scale.value = 2.0**140
    before = scaled.weights()
    metrics = update(scaled, optimiser, scaled.batch(0), 0)
    assert "gradient_norm" not in metrics
    assert metrics["loss"] < 100
    assert optimiser.scale.value == 2.0**139
    assert_same(scaled.weights(), before)


# --- where numbers go -------------------------------------------------------------------------------


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Any]]:
    """Modules with the calls of tensorboard and wandb that are used; what they were told."""
    told: dict[str, list[Any]] = {"tensorboard": [], "wandb": []}

    class SummaryWriter:
        def __init__(self, folder: str, purge_step: int | None) -> None:
            told["tensorboard"].append((Path(folder).name, purge_step))

        def add_scalar(self, name: str, number: float, step: int) -> None:
            told["tensorboard"].append((step, name, number))

        def flush(self) -> None: ...

        def close(self) -> None:
            told["tensorboard"].append("closed")

    def log(numbers: dict[str, float], step: int) -> None:
        told["wandb"].append((step, numbers))

    def init(**options: Any) -> SimpleNamespace:
        told["wandb"].append(options)
        return SimpleNamespace(log=log, finish=lambda: told["wandb"].append("finished"))

    board, wandb = cast(Any, ModuleType("board")), cast(Any, ModuleType("wandb"))
    board.SummaryWriter, wandb.init = SummaryWriter, init
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", board)
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    return told


TRACKED = replace(LOOP, log_to=("tensorboard", "wandb"))


def test_numbers_go_to_both_and_to_the_log(fakes: dict[str, list[Any]], tmp_path: Path):
    assert not Toy(on_step=stop_at(2)).run(tmp_path / "run", TRACKED)
    assert Toy().run(tmp_path / "run", TRACKED, resume=True)
    rows = read_log(tmp_path / "run")
    first, *rest = fakes["tensorboard"]
    assert first == ("tensorboard", None)
    assert rest.count("closed") == 2
    assert ("tensorboard", 4) in rest  # what a killed run wrote after its last checkpoint is not shown
    losses = [(told[0] - 1, told[2]) for told in rest if len(told) == 3 and told[1] == "loss"]
    assert losses == [(row["step"], row["loss"]) for row in rows]
    started = [told for told in fakes["wandb"] if isinstance(told, dict)]
    assert started[0] == started[1]  # one run there, too
    assert started[0]["config"]["loop"]["steps"] == STEPS
    assert started[0]["name"] == "run"
    steps = [told[0] for told in fakes["wandb"] if isinstance(told, tuple)]
    assert steps == list(range(1, STEPS + 1))


@pytest.mark.parametrize("name", ["tensorboard", "wandb"])
def test_what_is_not_installed_is_said_before_the_run(name: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ConfigError, match=rf"{name} is not installed: `pip install 'zeroseg\[{name}\]'`"):
        Toy().run(tmp_path / "run", replace(LOOP, log_to=(name,)))
    assert not (tmp_path / "run" / "settings.json").exists()


def test_settings_of_a_tracked_run_are_json(fakes: dict[str, list[Any]], tmp_path: Path):
    assert Toy().run(tmp_path / "run", TRACKED)
    assert fakes["wandb"]
    settings = json.loads((tmp_path / "run" / "settings.json").read_text(encoding="utf-8"))
    assert settings["loop"]["log_to"] == ["tensorboard", "wandb"]
