"""`zeroseg experiment`: from images to a page, again without work, and what it refuses."""

import os
import signal
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Call, Models, assert_one_sentence
from tests.evaluation.miniature import write_msrc21
from tests.experiments import toy
from tests.experiments.toy import CONFIG, record
from tests.tiny import VIEWS, teacher, write_photos
from zeroseg.errors import TrainingError
from zeroseg.experiments import EXPERIMENTS, Column, Experiment, read_records, running, series
from zeroseg.feature_cache import build_cache

Words = list[object]


@pytest.fixture(autouse=True)
def experiment(models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Experiment:
    """An experiment "toy" among the others."""
    config = replace(CONFIG, student=replace(CONFIG.student, teacher=str(models.teacher)))
    monkeypatch.setitem(EXPERIMENTS, "toy", toy.experiment(tmp_path, config))
    return EXPERIMENTS["toy"]


@pytest.fixture
def words(tmp_path: Path) -> Words:
    """The toy experiment with one seed, on as few scenes as there can be."""
    (tmp_path / "photos").mkdir()
    build_cache(write_photos(tmp_path / "photos", 4), teacher(), VIEWS, tmp_path / "cache")
    runs = [
        "experiment",
        "toy",
        "--images",
        tmp_path / "photos",
        "--cache",
        tmp_path / "cache",
        "--out",
        tmp_path / "runs",
    ]
    kept = ["--records", tmp_path / "records", "--pages", tmp_path / "docs", "--seeds", 1]
    return [*runs, *kept, "--scenes.validation", 1, "--scenes.held-out", 1]


def test_runs_records_and_a_page_and_the_second_time_no_work(call: Call, words: Words, tmp_path: Path):
    said = call(*words)
    assert said.code == 0, said.err
    assert said.out.splitlines() == [
        "3 runs, 0 of them recorded already",
        "1/3  toy: base, seed 0",
        "2/3  toy: centred, seed 0",
        "3/3  toy: batch-1, seed 0",
        f"the page: {tmp_path / 'docs/toy.md'}",
    ]
    assert len(list(tmp_path.glob("records/toy/*.json"))) == 3
    page = (tmp_path / "docs/toy.md").read_text()
    assert "Every variant has records of 1 seed." in page
    again = call(*words)
    assert again.code == 0
    assert again.out.startswith("3 runs, 3 of them recorded already\nthe page: ")
    assert (tmp_path / "docs/toy.md").read_text() == page


def test_an_experiment_on_photos_needs_their_folder(
    call: Call, words: Words, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, experiment: Experiment
):
    columns = (Column("objects", "msrc21-objects", "margin"), Column("all", "msrc21", "product", refined=True))
    monkeypatch.setitem(EXPERIMENTS, "toy", replace(experiment, columns=columns))
    words += ["--only", "base"]
    assert_one_sentence(call(*words), 2, "msrc21-objects, msrc21", "--data")
    assert_one_sentence(call(*words, "--data", tmp_path / "photos"), 1, "msrc21-objects", "docs/datasets.md")
    assert not (tmp_path / "runs").exists()
    said = call(*words, "--data", write_msrc21(tmp_path / "msrc21"))
    assert said.code == 0, said.err
    (found,) = read_records(tmp_path / "records", "toy")
    assert found.scores["held-out"]["msrc21-objects"]["margin"]["miou"] is not None
    assert found.scores["held-out"]["msrc21"].keys() == {"product, refined"}
    page = (tmp_path / "docs/toy.md").read_text()
    assert "--data folder" in page
    assert "mIoU on *msrc21-objects*" in page.replace("\n", " ")


def test_only_some_variants_with_other_steps(call: Call, words: Words, tmp_path: Path):
    said = call(*words, "--only", "centred", "--steps", 2)
    assert "1/1  toy: centred, seed 0" in said.out
    assert [path.name for path in tmp_path.glob("records/toy/*")] == ["centred-0.json"]
    assert "`base` (seed 0)" in (tmp_path / "docs/toy.md").read_text()


@pytest.mark.parametrize("only", ["base", "centred"])
def test_records_of_other_runs_are_never_overwritten(call: Call, words: Words, tmp_path: Path, only: str):
    """Another length, with the record of the same variant there or that of another: refused before anything is run."""
    assert call(*words, "--only", "base").code == 0

    def written() -> dict[Path, bytes]:  # the cache is not looked at: keys of images may be kept beside it
        paths = [path for name in ("records", "runs", "docs") for path in tmp_path.glob(f"{name}/**/*")]
        return {path: path.read_bytes() for path in paths if path.is_file()}

    before = written()
    said = call(*words, "--only", only, "--steps", 2)
    steps = ["loop.steps 4 there, 2 here"] if only == "base" else ["1 of the recipe's steps there, 0.5 here"]
    assert_one_sentence(said, 1, "base-0.json", *steps, "nothing was run", "--records and --pages")
    assert written() == before
    elsewhere = ["--records", tmp_path / "try/records", "--pages", tmp_path / "try"]
    assert call(*words, "--only", only, "--steps", 2, *elsewhere).code == 0
    assert [path.name for path in tmp_path.glob("try/records/toy/*")] == [f"{only}-0.json"]


def test_the_page_alone_needs_neither_images_nor_cache(call: Call, tmp_path: Path):
    record().write(tmp_path)
    said = call("experiment", "toy", "--page-only", "--records", tmp_path, "--pages", tmp_path / "docs")
    assert (said.code, said.out, said.err) == (0, f"the page: {tmp_path / 'docs/toy.md'}\n", "")
    assert "50.0" in (tmp_path / "docs/toy.md").read_text()


def test_ctrl_c_saves_and_says_how_to_go_on(call: Call, words: Words, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    looks = count()

    def pressed(*_: object) -> dict[str, float]:
        if next(looks) == 0:
            os.kill(os.getpid(), signal.SIGINT)
        return {"miou": 0.0, "upper_bound_miou": 0.0}

    with monkeypatch.context() as patched:
        patched.setattr(running, "validate", pressed)
        said = call(*words)
    assert said.code == 130
    assert "zeroseg: stopped; the same command continues" in said.err
    assert not (tmp_path / "docs").exists()
    assert len(list(tmp_path.glob("runs/toy/base-0-*/checkpoint-*.pt"))) == 1
    assert call(*words).code == 0
    assert len(list(tmp_path.glob("records/toy/*.json"))) == 3


def test_a_run_that_fails_does_not_stop_the_others(call: Call, words: Words, monkeypatch: pytest.MonkeyPatch):
    real = series.run_variant

    def failing(run: running.Run, *given: Any) -> object:
        if run.variant.name == "centred":
            raise TrainingError("the loss was not finite.")
        return real(run, *given)

    monkeypatch.setattr(series, "run_variant", failing)
    said = call(*words)
    assert said.code == 1
    assert "zeroseg: the loss was not finite." in said.err
    assert "the page: " in said.out


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        (["faithfull"], 2, ["'faithfull'", "did you mean 'faithful'?", "ablation"]),
        ([], 2, ["''", "faithful"]),
        (["toy", "--only", "centered"], 2, ["'centered'", "did you mean 'centred'?", "batch-1"]),
        (["toy"], 2, ["--images", "--cache", "--page-only"]),
        (["toy", "--seeds", "0"], 2, ["--seeds", "0"]),
        (["toy", "--scenes.held-out", "-1"], 2, ["--scenes.held-out"]),
        (["toy", "--images", "nowhere", "--cache", "nowhere"], 1, ["nowhere"]),
        (["toy", "--data", "msrc21"], 2, ["picturebook-voc", "leave --data out"]),
    ],
)
def test_what_makes_no_sense_is_one_sentence(given: list[str], code: int, said: list[str], call: Call):
    assert_one_sentence(call("experiment", *given), code, *said)


def test_a_damaged_record_is_one_sentence(call: Call, tmp_path: Path):
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "base-0.json").write_text("{")
    assert_one_sentence(call("experiment", "toy", "--page-only", "--records", tmp_path), 1, "base-0.json", "delete it")


def test_a_missing_cache_is_one_sentence(call: Call, words: Words, tmp_path: Path):
    words[words.index(tmp_path / "cache")] = tmp_path / "none"
    assert_one_sentence(call(*words), 1, "zeroseg cache")
