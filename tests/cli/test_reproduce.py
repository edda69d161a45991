"""`zeroseg reproduce`: from a cache to the page of tables, again without work, and what it refuses."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.conftest import Call, Models, assert_one_sentence
from tests.experiments import toy
from tests.experiments.toy import CONFIG
from tests.reproduce.test_results import PROSE, scale_of
from tests.tiny import VIEWS, teacher, write_photos
from zeroseg.errors import DatasetError
from zeroseg.feature_cache import build_cache
from zeroseg.reproduce import SCALES

Words = list[object]


@pytest.fixture(autouse=True)
def only_toys(models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table of tiny students in place of the paper's; the paper's own scale as it is."""
    config = replace(CONFIG, student=replace(CONFIG.student, teacher=str(models.teacher)))
    scale = replace(scale_of(toy.experiment(tmp_path, config)), figures=())
    scale.rows.template.write_text(PROSE.replace("{losses}", ""))
    monkeypatch.setitem(SCALES, "picturebook", scale)


@pytest.fixture
def words(tmp_path: Path) -> Words:
    (tmp_path / "photos").mkdir()
    build_cache(write_photos(tmp_path / "photos", 4), teacher(), VIEWS, tmp_path / "cache")
    read = ["--images", tmp_path / "photos", "--cache", tmp_path / "cache"]
    kept = ["--out", tmp_path / "runs", "--records", tmp_path / "records", "--pages", tmp_path / "docs"]
    return ["reproduce", "t9", *read, *kept, "--seeds", 1, "--scenes.validation", 1, "--scenes.held-out", 1]


def test_runs_records_and_the_page_and_the_second_time_no_work(call: Call, words: Words, tmp_path: Path):
    said = call(*words)
    assert said.code == 0, said.err
    assert said.out.splitlines() == [
        "3 runs, 0 of them recorded already",
        "1/3  toy: base, seed 0",
        "2/3  toy: centred, seed 0",
        "3/3  toy: batch-1, seed 0",
        f"the page: {tmp_path / 'docs/results.md'}",
    ]
    assert len(list(tmp_path.glob("records/toy/*.json"))) == 3
    assert "3 runs, 3 of them recorded already" in call(*words).out
    page = call("reproduce", "t9", "--page-only", "--records", tmp_path / "records", "--pages", tmp_path / "again")
    assert page.code == 0
    assert (tmp_path / "again/results.md").read_text() == (tmp_path / "docs/results.md").read_text()
    assert (tmp_path / "again/results.html").is_file()


def test_tables_share_their_rows(call: Call, words: Words, tmp_path: Path):
    """Table 8 shows the base alone, which table 9 has run; and nothing else is trained for it."""
    assert "1 runs, 0 of them" in call(words[0], "t8", *words[2:]).out
    assert [path.name.rsplit("-", 1)[0] for path in tmp_path.glob("runs/toy/*")] == ["base-0"]
    assert "3 runs, 1 of them" in call(words[0], "t8", *words[1:]).out


def test_a_quick_try_is_short(call: Call, words: Words, tmp_path: Path):
    said = call(*words[:-6], *words[-4:], "--steps", 12, "--quick")
    assert said.code == 0, said.err
    assert json.loads((tmp_path / "records/toy/base-0.json").read_text())["settings"]["distill"]["loop"]["steps"] == 2


def test_what_is_shown_is_trained_again(call: Call, words: Words, tmp_path: Path):
    """Records travel with the project, students do not: pictures and study must come from a fresh clone, too."""
    assert call(*words).code == 0
    records = {path: path.read_bytes() for path in tmp_path.glob("records/*/*.json")}
    shutil.rmtree(tmp_path / "runs")
    said = call(words[0], "t2", *words[2:], "--study", tmp_path / "study")
    assert said.code == 0, said.err
    assert said.out.splitlines() == [
        "2 runs, 2 of them recorded already",
        "for figures  toy: base, seed 0",
        "for figures  toy: centred, seed 0",
        f"the page: {tmp_path / 'docs/results.md'}",
        f"the study: {tmp_path / 'study'}",
    ]
    assert len(list(tmp_path.glob("study/pictures/*.jpg"))) == 3 * (2 + 2)  # two questions and as many checks
    assert "is there already" in call(words[0], "t2", *words[2:], "--study", tmp_path / "study").out
    assert {path: path.read_bytes() for path in tmp_path.glob("records/*/*.json")} == records


def test_rows_are_timed_once(call: Call, words: Words, tmp_path: Path):
    words += ["--speed-rounds", 2]
    assert call(*words).code == 0
    path = tmp_path / "records/toy-speed.json"
    seconds = json.loads(path.read_text())["seconds"]
    assert list(seconds) == ["base", "centred", "batch-1"]
    assert [len(times) for times in seconds.values()] == [2, 2, 2]
    before = path.read_bytes()
    assert call(*words).code == 0
    assert path.read_bytes() == before
    path.write_text("{}")
    assert_one_sentence(call(*words), 1, str(path), "delete the file")


def test_a_dry_run_prints_what_the_papers_scale_takes(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """9.47e18 operations at 31 TFLOP/s are the paper's 84 hours; 30 views of 768 half numbers make 59 GB."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    said = call("reproduce", "t3", "--scale", "paper", "--dry-run")
    assert said.code == 0, said.err
    ours = next(line for line in said.out.splitlines() if " ours " in line)
    assert [cell.strip() for cell in ours.split("│")[2:7]] == [
        "1,281,167",
        "25,022",
        "102,490,112",
        "9.47e+18",
        "84.81",
    ]
    assert "1,281,167 images, 30 views each, 6.23e+18 FLOP, 55.80 hours, 59.04 GB" in said.out
    assert "15 runs (3 seeds): 1,272.2 hours at 31 TFLOP/s" in said.out
    assert "needed: ImageNet-1k, train: 1,281,167 images, about 138 GB" in said.out
    assert "not named yet: voc21, context60, coco-object" in said.out
    assert not list(Path().iterdir())
    halved = call("reproduce", "t3", "--scale", "paper", "--dry-run", "--tflops", 60, "--seeds", 1)
    assert "5 runs (1 seeds): 219.1 hours at 60 TFLOP/s" in halved.out


def test_what_makes_no_sense(call: Call, words: Words):
    assert_one_sentence(call("reproduce", "t99"), 2, "'t99'", "t9")
    assert_one_sentence(call("reproduce", "t9"), 2, "--images")
    assert_one_sentence(call(*words, "--seeds", 0), 2, "--seeds")
    assert_one_sentence(call("reproduce", "--dry-run", "--tflops", 0), 2, "--tflops")
    assert_one_sentence(call("reproduce", "--page-only", "--records", "nowhere"), 2, "no records", "nowhere")
    assert_one_sentence(call("reproduce", "t2", "--scale", "paper", "--dry-run"), 2, "scale paper", "'t2'")


def test_a_quick_try_keeps_off_what_whole_runs_left(call: Call, tmp_path: Path):
    """Each of the folders by itself, and by any name that it has."""
    off = {"--records": tmp_path / "records", "--pages": tmp_path / "pages", "--study": tmp_path / "study"}
    for option, folder in {"--records": "docs/records", "--pages": "docs/../docs", "--study": "study"}.items():
        words = [word for name, value in {**off, option: folder}.items() for word in (name, value)]
        assert_one_sentence(call("reproduce", "t2", "--quick", *words), 2, f"--quick needs {option}")
    rows = call("reproduce", "t9", "--quick", "--dry-run").out
    assert "1 seeds" in rows  # of the quick try, which writes nothing


def test_a_row_that_fails_leaves_the_others(call: Call, words: Words, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def fails(*_: object) -> bool:
        raise DatasetError("captions.tsv is missing: write it.")

    rows = SCALES["picturebook"].rows
    broken = replace(rows.variants[1], train=fails, learns_from="captions")
    experiment = replace(rows, groups={**rows.groups, "Targets": (broken,)})
    monkeypatch.setitem(SCALES, "picturebook", replace(SCALES["picturebook"], rows=experiment))
    said = call(*words)
    assert said.code == 1
    assert "captions.tsv is missing" in said.err
    assert sorted(path.stem for path in tmp_path.glob("records/toy/*.json")) == ["base-0", "batch-1-0"]
    assert (tmp_path / "docs/results.md").is_file()
