"""The page says what the records say: means worked out by hand, dashes for what is missing, nothing else."""

import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.experiments import toy
from tests.experiments.toy import CONFIG, record
from zeroseg.errors import DatasetError
from zeroseg.experiments import EXPERIMENTS, Experiment, Record, write_page
from zeroseg.experiments.page import page
from zeroseg.experiments.plots import MEASURES, mean_curve, plot
from zeroseg.experiments.tables import spread

ROOT = Path(__file__).parents[2]
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def experiment(tmp_path: Path) -> Experiment:
    return toy.experiment(tmp_path)


def found(*records: Record) -> dict[str, list[Record]]:
    empty: dict[str, list[Record]] = {"base": [], "centred": [], "batch-1": []}
    for one in records:
        empty[one.variant].append(one)
    return empty


def row(text: str, variant: str, which: int = 0) -> list[str]:
    """The cells of a variant in the first table that has it, or in a later one."""
    lines = [line for line in text.splitlines() if line.startswith(f"| `{variant}` |")]
    return [cell.strip() for cell in lines[which].strip("|").split("|")]


def test_means_and_deviations_are_those_worked_out_by_hand(experiment: Experiment):
    text = page(experiment, found(record(miou=0.40), record(seed=1, miou=0.43), record(seed=2, miou=0.46)))
    # mean .43, deviations -.03, 0, .03: sqrt((.0009 + 0 + .0009) / 2) = .03
    assert row(text, "base") == ["`base`", "as it is", "43.0 ± 3.0", "80.0 ± 0.0", "-", "-", "-", "3"]
    # minutes 1, 2, 3; token cosine at the end 1; segments in use 1
    assert row(text, "base", 1) == [
        "`base`", "8", "2.0 ± 1.0", "100 ± 0", "1.00 ± 0.00", "1.00 ± 0.00", "-", "-", "-",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("values", "text"),
    [([], "-"), ([1.25], "1.2"), ([1.0, None], "-"), ([1.0, 3.0], "2.0 ± 1.4"), ([1234.5, 1234.5], "1,234.5 ± 0.0")],
)
def test_spread(values: list[float | None], text: str):
    assert spread(values) == text


def test_what_is_missing_is_a_dash_and_said(experiment: Experiment):
    text = page(experiment, found(record(), record(seed=2), record("centred", 0)), seeds=3)
    assert row(text, "batch-1") == ["`batch-1`", "one image at a time", *["-"] * 5, "0"]
    assert row(text, "centred")[-1] == "1"
    assert "`base` (seed 1), `centred` (seeds 1, 2), `batch-1` (seeds 0, 1, 2)" in text


def test_a_page_without_any_record_has_no_figure(experiment: Experiment):
    text = page(experiment, found())
    assert "Nothing was run yet" in text
    cells = [
        cell
        for variant in ("base", "centred", "batch-1")
        for cell in row(text, variant)[2:-1] + row(text, variant, 1)[1:]
    ]
    assert set(cells) == {"-"}
    assert all("nothing was recorded" in plot(experiment, found(), measure) for measure in MEASURES)


def test_a_full_page_says_so_and_how_it_was_made(experiment: Experiment):
    text = page(experiment, found(*(record(name) for name in ("base", "centred", "batch-1"))), seeds=1)
    assert "Every variant has records of 1 seed." in text
    assert "| images | 6 |" in text
    assert "| teacher | `cafe` |" in text
    assert "| scenes measured on | 1 validation, 1 held-out |" in text
    assert "torch 2" in text
    assert text.endswith("--cache cache --seeds 1 --scenes.validation 1 --scenes.held-out 1\n")


def test_the_hours_are_those_of_all_runs(experiment: Experiment):
    runs = [record(minutes=90.0), record(seed=1, minutes=30.0), record("centred", minutes=3.0)]
    text = page(experiment, found(*runs))
    assert "The 3 runs of this page took 2.0 hours of training in all" in text  # 123 minutes
    assert "No record says yet how long this takes." in page(experiment, found())


def test_other_steps_and_scenes_are_part_of_the_command(tmp_path: Path):
    longer = toy.experiment(tmp_path, replace(CONFIG, loop=replace(CONFIG.loop, steps=9)))
    assert " --steps 4 --scenes.validation 1 " in page(longer, found(record()))
    assert page(longer, found()).endswith("\nzeroseg experiment toy --images images --cache cache --seeds 3\n")


def test_columns_of_refinement_need_a_recipe_that_refines(tmp_path: Path):
    plain = replace(CONFIG.student.read_out, refinement=0)
    experiment = toy.experiment(tmp_path, replace(CONFIG, student=replace(CONFIG.student, read_out=plain)))
    assert "refined" not in page(experiment, found())
    assert "refined" in page(toy.experiment(tmp_path), found())


def test_records_that_cannot_be_compared_are_refused(experiment: Experiment, tmp_path: Path):
    record().write(tmp_path)
    record(seed=1, settings=record().settings | {"teacher": "beef"}).write(tmp_path)
    with pytest.raises(DatasetError, match=r"base-0.json and base-1.json"):
        write_page(experiment, tmp_path, tmp_path)
    assert not (tmp_path / "toy.md").exists()


def test_seeds_of_a_variant_share_their_settings_and_variants_their_images(experiment: Experiment, tmp_path: Path):
    record().write(tmp_path)
    record("centred", settings=record().settings | {"images": 7}).write(tmp_path)
    with pytest.raises(DatasetError, match="different settings"):
        write_page(experiment, tmp_path, tmp_path)


def test_runs_of_different_length_do_not_share_a_page(experiment: Experiment, tmp_path: Path):
    """`--steps 2` beside whole runs; a variant whose batch is another has the samples that are its own."""
    whole, half = record(), record("centred", samples=4)
    for one in (whole, half):
        one.write(tmp_path)
    with pytest.raises(DatasetError, match=r"centred-0\.json and base-0\.json .* different length"):
        write_page(experiment, tmp_path, tmp_path / "docs")
    record("centred").write(tmp_path)
    record("batch-1").write(tmp_path)
    write_page(experiment, tmp_path, tmp_path / "docs")


def test_a_record_of_a_variant_that_is_no_more_changes_nothing(experiment: Experiment, tmp_path: Path):
    record().write(tmp_path)
    before = write_page(experiment, tmp_path, tmp_path).read_text()
    record("abandoned", settings={}).write(tmp_path)
    assert write_page(experiment, tmp_path, tmp_path).read_text() == before


def test_the_plots_of_a_page_are_there(experiment: Experiment, tmp_path: Path):
    record().write(tmp_path / "records")
    path = write_page(experiment, tmp_path / "records", tmp_path / "docs")
    linked = re.findall(r"!\[[^]]+\]\(([^)]+)\)", path.read_text())
    assert len(linked) == len(MEASURES)
    for image in linked:
        assert ElementTree.parse(path.parent / image).getroot().tag == SVG + "svg"


def test_a_plot_has_a_panel_for_each_group_and_the_base_in_all(experiment: Experiment):
    records = found(record(), record(seed=1), record("centred"))
    drawing = ElementTree.fromstring(plot(experiment, records, MEASURES[0]))
    panels = drawing.findall(f"{SVG}g/{SVG}svg")
    assert len(panels) == 2
    said = [panel.get("aria-label", "") for panel in panels]
    assert all("base: from 0.375 at 2" in words for words in said)  # seeds 0 and 1 begin at .25 and .5
    assert ["centred: from 0.25 at 2" in words for words in said] == [True, False]
    words = [text.text for text in drawing.iter(f"{SVG}text") if text.get("class") == "named"]
    assert words[1:] == ["Targets", "base", "centred", "Batch", "base", "batch-1 (not run)"]


def test_a_mean_needs_every_seed():
    cut = record(seed=1).curve | {"training": {"step": [1], "token_cosine": [0.75], "segments_in_use": [None]}}
    records = [record(), record(seed=1, curve=cut)]
    assert mean_curve(records, MEASURES[0]) == [(2, 0.5)]
    assert mean_curve(records, MEASURES[1]) == []
    assert mean_curve(records, MEASURES[2]) == [(0, 10.0), (8, 50.0)]
    assert mean_curve([], MEASURES[0]) == []


def test_a_slot_that_there_is_not_is_a_mistake_of_ours(experiment: Experiment):
    experiment.template.write_text("{tabel}")
    with pytest.raises(ValueError, match="tabel"):
        page(experiment, found())


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_prose_has_all_slots(name: str):
    prose = EXPERIMENTS[name].template.read_text(encoding="utf-8")
    slots = re.findall(r"\{(\w+)\}", prose)
    assert sorted(slots) == ["command", "cost", "curves", "images", "legend", "missing", "setup", "table", "training"]
    assert "| `" in page(EXPERIMENTS[name], {variant.name: [] for variant in EXPERIMENTS[name].variants})


@pytest.mark.parametrize("name", [name for name in EXPERIMENTS if (ROOT / "docs" / f"{name}.md").exists()])
def test_the_committed_page_is_what_the_committed_records_say(name: str, tmp_path: Path):
    """`zeroseg experiment NAME --page-only` writes it anew."""
    docs = ROOT / "docs"
    written = write_page(EXPERIMENTS[name], docs / "records", tmp_path)
    assert written.read_text() == (docs / f"{name}.md").read_text()
    for image in tmp_path.glob("images/*.svg"):
        assert image.read_text() == (docs / "images" / image.name).read_text()
