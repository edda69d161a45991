"""Runs of a toy experiment: made once, made again when a setting changes, resumed where they were stopped."""

import json
import os
import signal
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.experiments import toy
from tests.experiments.toy import CONFIG, silent
from zeroseg.errors import CacheError, TrainingError
from zeroseg.experiments import Experiment, ExperimentContext, Run, plan, read_records, run_variant, running
from zeroseg.experiments.measuring import validate
from zeroseg.views import ViewsConfig


@pytest.fixture
def context(tmp_path: Path) -> ExperimentContext:
    return toy.context(tmp_path)


@pytest.fixture
def experiment(tmp_path: Path) -> Experiment:
    return toy.experiment(tmp_path)


def first(experiment: Experiment, context: ExperimentContext) -> Run:
    return plan(experiment, context, seeds=1, only=["base"])[0]


def test_the_plan_has_every_variant_with_the_first_seed_before_the_second(
    experiment: Experiment, context: ExperimentContext
):
    runs = plan(experiment, context, seeds=2)
    names = ["base", "centred", "batch-1"]
    assert [(run.variant.name, run.seed) for run in runs] == [(name, seed) for seed in (0, 1) for name in names]
    assert [run.config.loop.steps for run in plan(experiment, context, 1, steps=6)] == [6, 6, 12]
    assert [run.variant.name for run in plan(experiment, context, 1, only=["batch-1"])] == ["batch-1"]
    assert runs[0].settings["images"] == 6


def test_a_run_leaves_a_record_a_student_and_no_checkpoint(experiment: Experiment, context: ExperimentContext):
    run = first(experiment, context)
    assert not run.is_recorded(context)
    record = run_variant(run, context, silent)
    assert record is not None
    assert run.is_recorded(context)
    assert read_records(context.records, "toy") == [record]
    assert (run.folder(context) / "student" / "model.safetensors").is_file()
    assert not list(run.folder(context).glob("checkpoint*"))
    assert record.settings == run.settings
    assert record.samples == 8
    assert record.minutes >= 0
    assert {"step", "loss", "matching", "token_cosine", "segments_in_use"} <= record.curve["training"].keys()
    assert record.curve["training"]["step"] == [1, 2, 3, 4]
    assert record.curve["validation"]["step"] == [0, 1, 2, 3, 4]
    for split in ("validation", "held-out"):
        readings = record.scores[split][toy.VOC]
        assert list(readings) == ["product", "product, refined", "margin", "margin, refined"]
        assert "margin" not in readings["product"]
        assert readings["margin"]["margin"] == readings["margin, refined"]["margin"]
    own = record.scores["validation"][toy.VOC]["product"]
    assert own["miou"] == pytest.approx(record.curve["validation"]["miou"][-1], abs=0.02)


def test_a_changed_setting_is_another_run(experiment: Experiment, context: ExperimentContext, tmp_path: Path):
    run_variant(first(experiment, context), context, silent)
    assert first(experiment, context).is_recorded(context)
    assert not plan(experiment, context, 1, steps=3, only=["base"])[0].is_recorded(context)
    other = first(toy.experiment(tmp_path, replace(CONFIG, mask_ratio=0.5)), context)
    assert not other.is_recorded(context)
    run_variant(other, context, silent)
    assert other.is_recorded(context)
    assert not first(experiment, context).is_recorded(context)  # its record was written over


def press_ctrl_c(monkeypatch: pytest.MonkeyPatch, look: int) -> None:
    """At a certain look at the validation scenes."""
    looks = count(1)

    def looked(*given: Any) -> dict[str, float]:
        if next(looks) == look:
            os.kill(os.getpid(), signal.SIGINT)
        return validate(*given)

    monkeypatch.setattr(running, "validate", looked)


def test_an_interrupted_run_goes_on_to_the_same_record(
    experiment: Experiment, context: ExperimentContext, monkeypatch: pytest.MonkeyPatch
):
    run = first(experiment, context)
    with monkeypatch.context() as patched:
        press_ctrl_c(patched, look=3)
        assert run_variant(run, context, silent) is None
    folder = run.folder(context)
    assert len(list(folder.glob("checkpoint-*.pt"))) == 1
    assert not run.is_recorded(context)
    resumed = run_variant(run, context, silent)
    elsewhere = replace(context, runs=context.runs / "again", records=context.records / "again")
    whole = run_variant(run, elsewhere, silent)
    assert resumed is not None
    assert whole is not None
    assert (resumed.curve, resumed.scores) == (whole.curve, whole.scores)


def test_a_run_that_was_killed_before_its_first_checkpoint_starts_anew(
    experiment: Experiment, context: ExperimentContext
):
    run = first(experiment, context)
    run.folder(context).mkdir(parents=True)
    (run.folder(context) / "settings.json").write_text("{}")
    assert run_variant(run, context, silent) is not None


def test_a_record_that_was_deleted_is_made_anew_without_training(
    experiment: Experiment, context: ExperimentContext, monkeypatch: pytest.MonkeyPatch
):
    run = first(experiment, context)
    former = run_variant(run, context, silent)
    (context.records / "toy" / "base-0.json").unlink()
    monkeypatch.delattr(running, "distill")
    assert run_variant(run, context, silent) == former


def test_an_interrupted_measurement_leaves_no_record(
    experiment: Experiment, context: ExperimentContext, monkeypatch: pytest.MonkeyPatch
):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt("ctrl-c")

    run = first(experiment, context)
    with monkeypatch.context() as patched:
        patched.setattr(running, "measure_columns", interrupted)
        with pytest.raises(KeyboardInterrupt, match="ctrl-c"):
            run_variant(run, context, silent)
    assert not run.is_recorded(context)
    assert run_variant(run, context, silent) is not None


def test_progress_counts_every_scene(experiment: Experiment, context: ExperimentContext):
    heard: list[int] = []

    @contextmanager
    def counting(_title: str, total: int, _unit: str):
        done: list[int] = []
        yield done.append
        heard.extend([total, sum(done)])

    run_variant(first(experiment, context), context, counting)
    assert heard == [9, 9]  # one to tune the margin, 2 readings x with and without refinement x 2 splits


def test_a_cache_of_other_views_is_refused(context: ExperimentContext, tmp_path: Path):
    with pytest.raises(CacheError, match="views"):
        plan(toy.experiment(tmp_path, replace(CONFIG, views=ViewsConfig(32, (1, 3)))), context, 1)


def test_a_teacher_of_another_form_is_a_run_that_failed(context: ExperimentContext, tmp_path: Path):
    with pytest.raises(TrainingError, match="form"):
        run_variant(
            first(toy.experiment(tmp_path, replace(CONFIG, encoder_from_teacher=True)), context), context, silent
        )


def test_the_teachers_name_is_the_students_but_not_the_records(experiment: Experiment, context: ExperimentContext):
    run = first(experiment, replace(context, teacher_name="/a/folder"))
    assert run.config.student.teacher == "/a/folder"
    assert "/a/folder" not in json.dumps(run.settings)
