"""The path of `photos_vitb16` with tiny models: from a CLIP's or SigLIP's tower to a better student that segments."""

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.tiny import STUDENT, VIEWS, photo, siglip_teacher, teacher, whole_tower_student, write_photos
from zeroseg.errors import ConfigError, TrainingError
from zeroseg.feature_cache import FeatureCache, build_cache
from zeroseg.segmenter import Segmenter
from zeroseg.student import Student
from zeroseg.teacher import Teacher
from zeroseg.training.dense_targets import WindowsConfig
from zeroseg.training.distill import distill
from zeroseg.training.distillation import DistillConfig, LossWeights
from zeroseg.training.loop import LoopConfig
from zeroseg.training.monitor import read_log
from zeroseg.training.optimiser import OptimiserConfig

BOTH_KINDS = LossWeights(
    0.0, 0.0, 0.0, overlap=0.2, patch_view=0.2, dense=1.0, dense_cosine=1.0, window=1.0, window_cosine=1.0
)
KINDS = pytest.mark.parametrize("kind", [teacher, siglip_teacher], ids=["clip", "siglip"])


def config_of(by: Teacher, **changes: Any) -> DistillConfig:
    loop = LoopConfig(
        steps=12, batch_size=4, precision="fp32", log_every=1, evaluate_every=4, checkpoint_every=100, workers=0,
        micro_batches=2, optimiser=OptimiserConfig(learning_rate=2e-3, warmup=0.1),
    )  # fmt: skip
    config = DistillConfig(
        student=whole_tower_student(by),
        views=VIEWS,
        losses=BOTH_KINDS,
        mask_ratio=0.0,
        flips=True,
        windows=WindowsConfig(side=16, stride=6),
        encoder_from_teacher=True,
        probe=2,
        loop=loop,
    )
    return replace(config, **changes)


@KINDS
def test_a_student_that_starts_as_its_teacher_learns_and_segments(kind: Callable[[], Teacher], tmp_path: Path):
    """All losses fall, the student agrees better with the windows than the teacher's own map, and names pixels."""
    images = write_photos(tmp_path, 10)
    student = distill(images, None, config_of(kind()), tmp_path / "run", kind(), quiet=True)
    assert student is not None
    rows = read_log(tmp_path / "run")
    steps = [row for row in rows if "loss" in row]
    for name in ("loss", "window", "window_cosine", "dense", "dense_cosine"):
        first, last = (sum(row[name] for row in some) for some in (steps[:3], steps[-3:]))
        assert last < first, name
    probes = [row["probe_cosine"] for row in rows if "probe_cosine" in row]
    assert max(probes[1:]) > probes[0]
    assert Student.from_pretrained(tmp_path / "run/student").config == student.config
    segmentation = Segmenter.of(student, kind())(photo(48, 40), labels=["dog", "grass"])
    assert segmentation.class_map.shape == (40, 48)


@pytest.mark.parametrize("stop", [1, 5, 9])
def test_stopped_and_resumed_it_is_the_same_to_the_last_bit(stop: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """With the best student so far, and the shifts of the windows."""
    images, config, by = write_photos(tmp_path, 10), config_of(teacher()), teacher()
    assert distill(images, None, config, tmp_path / "whole", by, quiet=True) is not None
    steps = 0
    train = Student.train

    def stopping(self: Student, mode: bool = True) -> Student:
        nonlocal steps
        steps += mode
        if mode and steps == stop:
            os.kill(os.getpid(), signal.SIGINT)
        return train(self, mode)

    with monkeypatch.context() as patch:
        patch.setattr(Student, "train", stopping)
        assert distill(images, None, config, tmp_path / "stopped", by, quiet=True) is None
    assert steps == stop
    torch.manual_seed(99)
    assert distill(images, None, config, tmp_path / "stopped", by, resume=True, quiet=True) is not None
    for name in ("student", "student-last"):
        one, other = ((tmp_path / run / name / "model.safetensors").read_bytes() for run in ("whole", "stopped"))
        assert one == other, name


def test_with_a_cache_or_without_the_views_are_the_same(tmp_path: Path):
    """But for the cache's float16, and for views that are flipped after they were cut."""
    images, by = write_photos(tmp_path, 6), teacher()
    config = config_of(by, flips=False, probe=0)
    build_cache(images, by, VIEWS, tmp_path / "cache")
    distill(images, FeatureCache(tmp_path / "cache"), config, tmp_path / "cached", by, quiet=True)
    distill(images, None, config, tmp_path / "live", by, quiet=True)
    cached, live = (read_log(tmp_path / run) for run in ("cached", "live"))
    for name in BOTH_KINDS.__dataclass_fields__:
        if name in cached[0]:
            assert cached[0][name] == pytest.approx(live[0][name], rel=1e-3), name


def test_micro_batches_have_the_losses_of_the_batch(tmp_path: Path):
    images, by = write_photos(tmp_path, 6), teacher()
    for parts in (1, 3):
        config = config_of(by, probe=0)
        config = replace(config, loop=replace(config.loop, steps=1, micro_batches=parts))
        distill(images, None, config, tmp_path / str(parts), by, quiet=True)
    one, other = (read_log(tmp_path / run)[0] for run in ("1", "3"))
    assert "window" in one
    for name in one.keys() - {"time", "images_per_second"}:
        assert one[name] == pytest.approx(other[name], rel=1e-3, abs=1e-4), name


def test_without_a_cache_an_image_that_cannot_be_read_is_replaced(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    images = write_photos(tmp_path, 3)
    images[1].write_bytes(b"no picture")
    config = config_of(teacher(), probe=0, losses=LossWeights(0.0, 0.0, 0.0, window=1.0))
    assert distill(images, None, config, tmp_path / "run", teacher(), quiet=True) is not None
    assert "takes its place" in caplog.text


def test_what_does_not_fit_is_refused(tmp_path: Path):
    images = write_photos(tmp_path, 3)
    with pytest.raises(TrainingError, match="need the teacher"):
        distill(images, None, config_of(teacher()), tmp_path / "a", None, quiet=True)
    with pytest.raises(TrainingError, match="there is no cache"):
        distill(images, None, config_of(teacher(), centre=True), tmp_path / "b", teacher(), quiet=True)
    with pytest.raises(ConfigError, match="normalise"):
        config_of(teacher(), normalise=False)
    with pytest.raises(ConfigError, match="patch_head"):
        config_of(teacher(), student=STUDENT)
    with pytest.raises(ConfigError, match="probe must be"):
        config_of(teacher(), probe=-1)
    assert not (tmp_path / "a").exists()
    assert not (tmp_path / "b").exists()
