"""The probe: a student's map against its teacher's on images that were held out, and the best student kept."""

import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.tiny import PATCH_STUDENT, STUDENT, VIEWS, student, teacher, whole_tower_student, write_photos
from zeroseg.errors import TrainingError
from zeroseg.student import Student
from zeroseg.training.checkpoint import Checkpoints
from zeroseg.training.dense_targets import WindowsConfig
from zeroseg.training.distill import distill
from zeroseg.training.distillation import DistillConfig, LossWeights
from zeroseg.training.initialisation import start_from_teacher
from zeroseg.training.loop import LoopConfig
from zeroseg.training.monitor import read_log
from zeroseg.training.optimiser import OptimiserConfig
from zeroseg.training.probe import Probe, held_out

WEIGHTS = LossWeights(0.0, 0.0, 0.0, window=1.0, window_cosine=1.0)
LOOP = LoopConfig(steps=6, batch_size=2, precision="fp32", log_every=1, evaluate_every=2, workers=0)
CONFIG = DistillConfig(
    student=whole_tower_student(teacher()),
    views=VIEWS,
    losses=WEIGHTS,
    mask_ratio=0.0,
    windows=WindowsConfig(32, 32, method="maskclip", moved=False),
    encoder_from_teacher=True,
    probe=3,
    loop=LOOP,
)


def test_a_student_with_the_teachers_map_agrees_wholly(tmp_path: Path):
    """One window, the picture itself: the teacher's map is then the student's first one."""
    model = Student(CONFIG.student)
    start_from_teacher(model, teacher())
    found = Probe(write_photos(tmp_path, 3), teacher(), CONFIG)(model.eval())
    assert found["probe_cosine"] == pytest.approx(1, abs=1e-3)
    assert found["probe_words"] == pytest.approx(1, abs=0.05)
    other = Probe(write_photos(tmp_path, 3), teacher(), CONFIG)(student(CONFIG.student))
    assert other["probe_cosine"] < 0.9
    assert other["probe_words"] < 0.9


@pytest.mark.parametrize("sizes", [PATCH_STUDENT, STUDENT], ids=["patches", "segments"])
def test_every_recipe_can_be_probed(sizes: object, tmp_path: Path):
    """Without windows the views are the teacher's map; without a patch head the student's segments are its map."""
    assert sizes in (PATCH_STUDENT, STUDENT)
    config = DistillConfig(student=STUDENT if sizes == STUDENT else PATCH_STUDENT, views=VIEWS, losses=LossWeights(0.0))
    found = Probe(write_photos(tmp_path, 9), teacher(), config)(student(config.student))
    assert -1 <= found["probe_cosine"] <= 1
    assert 0 <= found["probe_words"] <= 1


def test_held_out_images_are_not_trained_on_and_the_same_ones_every_time():
    images = [Path(f"{number}.jpg") for number in range(10)]
    trained, others = held_out(images, 3, 0)
    assert sorted([*trained, *others]) == sorted(images)
    assert len(others) == 3
    assert held_out(images, 3, 0) == (trained, others)
    assert held_out(images, 3, 1) != (trained, others)
    with pytest.raises(TrainingError, match="holds out 10"):
        held_out(images, 10, 0)


def test_images_that_cannot_be_read_do_not_stop_the_probe(tmp_path: Path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    assert len(Probe([*write_photos(tmp_path, 1), broken], teacher(), CONFIG).squares) == 1
    with pytest.raises(TrainingError, match="none of the images"):
        Probe([broken], teacher(), CONFIG)


def test_the_best_student_is_kept_and_the_last_one_beside_it(tmp_path: Path):
    """A rate so high that the student soon forgets: the result is what agreed best, not what came last."""
    images = write_photos(tmp_path, 8)
    loop = replace(LOOP, optimiser=OptimiserConfig(learning_rate=0.1, warmup=0.0))
    trained = distill(images, None, replace(CONFIG, loop=loop), tmp_path / "run", teacher(), quiet=True)
    assert trained is not None
    rows = [row for row in read_log(tmp_path / "run") if "probe_words" in row]
    assert [row["step"] for row in rows] == [-1, 1, 3, 5]
    settings = json.loads((tmp_path / "run/settings.json").read_text(encoding="utf-8"))
    assert settings["images"] == 5
    best, last = (Student.from_pretrained(tmp_path / "run" / name) for name in ("student", "student-last"))
    probe = Probe(held_out(images, 3, 0)[1], teacher(), CONFIG)
    highest = max(row["probe_words"] for row in rows if row["step"] >= 0)
    assert probe(best)["probe_words"] == pytest.approx(highest, abs=0.05)
    assert probe(last)["probe_words"] == pytest.approx(rows[-1]["probe_words"], abs=0.05)
    assert all(torch.equal(weight, best.state_dict()[name]) for name, weight in trained.state_dict().items())


@pytest.mark.parametrize("earlier", [False, True], ids=["now", "checkpoint of an earlier version"])
def test_the_best_student_of_a_resumed_run_is_that_of_the_whole_run(earlier: bool, tmp_path: Path):
    """The best one came before the interruption, and log and folder are damaged then; earlier versions need both."""
    images = write_photos(tmp_path, 8)
    loop = replace(LOOP, optimiser=OptimiserConfig(learning_rate=0.1, warmup=0.0))
    config = replace(CONFIG, loop=loop)

    def stop_at(look: int) -> Callable[[Student], dict[str, float]]:
        looks = iter(range(look + 1))

        def looked(_: Student) -> dict[str, float]:
            if next(looks, None) == look:
                os.kill(os.getpid(), signal.SIGTERM)
            return {}

        return looked

    whole = distill(images, None, config, tmp_path / "whole", teacher(), quiet=True)
    run = tmp_path / "run"
    assert distill(images, None, config, run, teacher(), stop_at(3), quiet=True) is None
    if earlier:
        state = Checkpoints(run).load()
        Checkpoints(run).save({name: value for name, value in state.items() if name not in ("judge", "due")})
    else:
        (run / "log.jsonl").write_bytes(b"\xff\n")
        (run / "student-best" / "model.safetensors").unlink()
    resumed = distill(images, None, config, run, teacher(), quiet=True, resume=True)
    assert whole is not None
    assert resumed is not None
    assert all(torch.equal(weight, whole.state_dict()[name]) for name, weight in resumed.state_dict().items())
