"""`zeroseg reproduce`: from a cache to the page of tables, again without work, and what it refuses."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.conftest import Call, Models, assert_one_sentence
from tests.experiments import toy
from tests.experiments.toy import CONFIG
from tests.reproduce.test_trained_tables import paper_table
from tests.tiny import VIEWS, teacher, write_photos
from zeroseg.cli import reproduce
from zeroseg.feature_cache import build_cache
from zeroseg.reproduce import TRAINED

Words = list[object]


@pytest.fixture(autouse=True)
def only_a_toy(models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One table of toys in place of the paper's."""
    config = replace(CONFIG, student=replace(CONFIG.student, teacher=str(models.teacher)))
    for name in list(TRAINED):
        monkeypatch.delitem(TRAINED, name)
    monkeypatch.setitem(TRAINED, "toy", paper_table(toy.experiment(tmp_path, config)))


@pytest.fixture
def words(tmp_path: Path) -> Words:
    (tmp_path / "photos").mkdir()
    build_cache(write_photos(tmp_path / "photos", 4), teacher(), VIEWS, tmp_path / "cache")
    read = ["--images", tmp_path / "photos", "--cache", tmp_path / "cache"]
    kept = ["--out", tmp_path / "runs", "--records", tmp_path / "records", "--pages", tmp_path / "docs"]
    return ["reproduce", "toy", *read, *kept, "--seeds", 1, "--scenes.validation", 1, "--scenes.held-out", 1]


def test_runs_records_and_the_page_and_the_second_time_no_work(call: Call, words: Words, tmp_path: Path):
    said = call(*words)
    assert said.code == 0, said.err
    assert said.out.splitlines() == [
        "Table 9: toys",
        "3 runs, 0 of them recorded already",
        "1/3  toy: base, seed 0",
        "2/3  toy: centred, seed 0",
        "3/3  toy: batch-1, seed 0",
        f"the page: {tmp_path / 'docs/results.md'}",
    ]
    assert len(list(tmp_path.glob("records/toy/*.json"))) == 3
    assert "3 runs, 3 of them recorded already" in call(*words).out
    page = call("reproduce", "toy", "--page-only", "--records", tmp_path / "records", "--pages", tmp_path / "again")
    assert page.code == 0
    assert (tmp_path / "again/results.md").read_text() == (tmp_path / "docs/results.md").read_text()


def test_a_quick_try_is_short(call: Call, words: Words, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(reproduce, "QUICK_SCENES", reproduce.Scenes(1, 1))
    said = call(*words[:-6], "--steps", 12, "--quick")
    assert said.code == 0, said.err
    settings = (tmp_path / "records/toy/base-0.json").read_text()
    assert '"steps": 2' in settings


def test_what_makes_no_sense(call: Call, words: Words):
    assert_one_sentence(call("reproduce", "t99"), 2, "'t99'", "toy")
    assert_one_sentence(call("reproduce", "toy"), 2, "--images")
    assert_one_sentence(call(*words, "--seeds", 0), 2, "--seeds")
