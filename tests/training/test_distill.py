"""Distillation runs: stopped and resumed, in micro-batches, refused."""

import json
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.tiny import LITE_STUDENT, PATCH_STUDENT, STUDENT, VIEWS, teacher, write_photos
from tests.training.test_loop import forget_settings
from zeroseg.errors import CacheError, ConfigError, TrainingError
from zeroseg.feature_cache import FeatureCache, build_cache
from zeroseg.student import Student, StudentConfig
from zeroseg.training.distill import build_student, distill
from zeroseg.training.distillation import DistillConfig, LossWeights
from zeroseg.training.loop import LoopConfig
from zeroseg.training.monitor import read_log
from zeroseg.training.optimiser import OptimiserConfig

LOOP = LoopConfig(
    steps=5, batch_size=4, precision="fp32", log_every=1, evaluate_every=3, checkpoint_every=100, patience=3,
    workers=0, optimiser=OptimiserConfig(learning_rate=0.05, warmup=0.3),
)  # fmt: skip

PAPER = DistillConfig(student=STUDENT, views=VIEWS, losses=LossWeights(), loop=LOOP)
OURS = DistillConfig(
    student=PATCH_STUDENT,
    views=VIEWS,
    losses=LossWeights(reconstruction=0.0, distillation=0.5, matching=0.0, overlap=1.0, patch_view=1.0, dense=1.0),
    flips=True,
    centre=True,
    loop=LOOP,
)
LITE = replace(OURS, student=LITE_STUDENT, trainable_blocks=1, mask_ratio=0.0)
LITE_WITH_DECODER = replace(PAPER, student=replace(LITE_STUDENT, decoder_layers=1))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], FeatureCache]:
    folder = tmp_path_factory.mktemp("pictures")
    paths = write_photos(folder, 8)
    build_cache(paths, teacher(), VIEWS, folder / "cache")
    return paths, FeatureCache(folder / "cache")


@pytest.mark.parametrize("config", [PAPER, OURS, LITE], ids=["paper", "ours", "lite"])
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


@pytest.mark.parametrize(
    "config", [PAPER, OURS, LITE, LITE_WITH_DECODER], ids=["paper", "ours", "lite", "lite with decoder"]
)
def test_distillation_learns_and_logs_its_losses_and_diagnostics(
    config: DistillConfig, pictures: tuple[list[Path], FeatureCache], tmp_path: Path
):
    images, cache = pictures
    longer = replace(config, loop=replace(config.loop, steps=30, batch_size=8))
    assert distill(images, cache, longer, tmp_path / "run", quiet=True) is not None
    rows = [row for row in read_log(tmp_path / "run") if "loss" in row]
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


# --- what of the encoder is trained -----------------------------------------------------------------

SMALL_VIT = replace(OURS, student=replace(PATCH_STUDENT, layers=2))
WITH_DECAY = replace(LOOP, optimiser=replace(LOOP.optimiser, weight_decay=0.5))


def moved(config: DistillConfig, pictures: tuple[list[Path], FeatureCache], run: Path) -> tuple[set[str], set[str]]:
    """The pretrained weights of the encoder that a run has changed, and all others of the student that it has."""
    images, cache = pictures
    before = {name: weight.detach().clone() for name, weight in build_student(config, cache, None).named_parameters()}
    after = distill(images, cache, config, run, quiet=True)
    assert after is not None
    saved = Student.from_pretrained(run / "student")  # with what was not trained
    pretrained = {f"encoder.{name}" for name in after.encoder.pretrained()}
    changed = {name for name, weight in after.named_parameters() if not torch.equal(weight, before[name])}
    for name in before.keys() - changed:
        assert torch.equal(saved.get_parameter(name), before[name].half().float()), name
    return changed & pretrained, changed - pretrained


@pytest.mark.parametrize("config", [SMALL_VIT, LITE], ids=["vit", "lite"])
def test_a_frozen_encoder_stays_as_it_started(
    config: DistillConfig, pictures: tuple[list[Path], FeatureCache], tmp_path: Path
):
    """No weight decay either. What is new in it, and the head, learn."""
    frozen = replace(config, trainable_blocks=0, loop=WITH_DECAY)
    pretrained, others = moved(frozen, pictures, tmp_path / "run")
    assert not pretrained
    new = {name for name in others if name.startswith("encoder.")}
    assert {name.split(".")[1] for name in new} == (
        set() if config is SMALL_VIT else {"from_fine", "from_last", "norm"}
    )
    assert {"layers", "groupings", "patch_projection"} <= {name.split(".")[0] for name in others}


@pytest.mark.parametrize(("config", "parts"), [(SMALL_VIT, ("blocks.1.", "norm.")), (LITE, ("blocks.15.", "last."))])
def test_the_last_block_is_trained_with_what_follows_it(
    config: DistillConfig, parts: tuple[str, str], pictures: tuple[list[Path], FeatureCache], tmp_path: Path
):
    last = replace(config, trainable_blocks=1, loop=WITH_DECAY)
    pretrained, _ = moved(last, pictures, tmp_path / "run")
    assert pretrained
    assert all(name.removeprefix("encoder.").removeprefix("tower.").startswith(parts) for name in pretrained)


@pytest.mark.parametrize(("student", "blocks"), [(STUDENT, 2), (STUDENT, -1), (LITE_STUDENT, 17)])
def test_more_blocks_than_there_are_cannot_be_trained(student: StudentConfig, blocks: int):
    with pytest.raises(ConfigError, match=r"trainable_blocks must be from 0 to the encoder's \d+ blocks"):
        replace(PAPER if student is STUDENT else OURS, student=student, trainable_blocks=blocks)


def test_a_run_of_before_there_were_other_encoders_is_resumed(
    pictures: tuple[list[Path], FeatureCache], tmp_path: Path
):
    images, cache = pictures
    assert distill(images, cache, OURS, tmp_path / "run", evaluate=interrupt, quiet=True) is None
    path = tmp_path / "run" / "settings.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    del settings["distill"]["student"]["encoder"]
    del settings["distill"]["trainable_blocks"]
    del settings["loop"]["optimiser"]["encoder_rate"]
    path.write_text(json.dumps(settings), encoding="utf-8")
    forget_settings(tmp_path / "run")
    with pytest.raises(TrainingError, match=r"other settings \(distill\."):
        distill(images, cache, replace(OURS, trainable_blocks=1), tmp_path / "run", resume=True, quiet=True)
    assert distill(images, cache, OURS, tmp_path / "run", resume=True, quiet=True) is not None


# --- micro-batches ----------------------------------------------------------------------------------


@pytest.mark.parametrize("config", [OURS, LITE], ids=["ours", "lite"])
def test_micro_batches_make_the_same_steps_and_the_same_log(
    config: DistillConfig, pictures: tuple[list[Path], FeatureCache], tmp_path: Path
):
    images, cache = pictures
    gentle = replace(LOOP, optimiser=OptimiserConfig(learning_rate=1e-3))
    whole = distill(images, cache, replace(config, loop=gentle), tmp_path / "whole", quiet=True)
    in_parts = replace(config, loop=replace(gentle, micro_batches=3))
    split = distill(images, cache, in_parts, tmp_path / "split", quiet=True)
    assert whole is not None
    assert split is not None
    first = build_student(config, cache, None)
    ends = [torch.cat([weight.detach().flatten() for weight in end.parameters()]) for end in (first, whole, split)]
    assert float((ends[2] - ends[1]).norm()) < 0.02 * float((ends[1] - ends[0]).norm())
    for ours, theirs in zip(read_log(tmp_path / "split"), read_log(tmp_path / "whole"), strict=True):
        assert list(ours) == list(theirs)
        for name in ours.keys() - {"time", "images_per_second"}:
            assert ours[name] == pytest.approx(theirs[name], rel=5e-3, abs=1e-4), name  # convolutions round by batch


def interrupt(_: Student) -> dict[str, float]:
    """Stop after the next step, as Ctrl-C would."""
    os.kill(os.getpid(), signal.SIGINT)
    return {}


def test_a_run_may_be_resumed_with_other_micro_batches(pictures: tuple[list[Path], FeatureCache], tmp_path: Path):
    images, cache = pictures
    assert distill(images, cache, OURS, tmp_path / "run", evaluate=interrupt, quiet=True) is None
    other = replace(OURS, loop=replace(LOOP, micro_batches=2))
    assert distill(images, cache, other, tmp_path / "run", resume=True, quiet=True) is not None


def test_a_run_of_before_there_were_micro_batches_is_resumed(pictures: tuple[list[Path], FeatureCache], tmp_path: Path):
    images, cache = pictures
    whole = distill(images, cache, OURS, tmp_path / "whole", quiet=True)
    assert distill(images, cache, OURS, tmp_path / "run", evaluate=interrupt, quiet=True) is None
    path = tmp_path / "run" / "settings.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    del settings["loop"]["micro_batches"], settings["distill"]["views"]["own_resolution"]
    path.write_text(json.dumps(settings), encoding="utf-8")
    forget_settings(tmp_path / "run")
    resumed = distill(images, cache, OURS, tmp_path / "run", resume=True, quiet=True)
    assert whole is not None
    assert resumed is not None
    assert all(torch.equal(weight, whole.state_dict()[name]) for name, weight in resumed.state_dict().items())


def test_students_are_evaluated_in_evaluation_mode_and_trained_in_training_mode(
    pictures: tuple[list[Path], FeatureCache], tmp_path: Path
):
    images, cache = pictures
    modes: list[bool] = []

    def evaluate(student: Student) -> dict[str, float]:
        modes.append(student.training)
        student.encoder.register_forward_hook(lambda module, *_: modes.append(module.training))
        return {}

    loop = replace(LOOP, steps=2, evaluate_every=100)
    student = distill(images, cache, replace(PAPER, loop=loop), tmp_path / "run", evaluate=evaluate, quiet=True)
    assert student is not None
    assert not student.training
    assert modes == [False, True, True, False]  # before the first step, two steps, after the last
