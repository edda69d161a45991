"""The page of tables: orders are compared as one would by hand, every cell is a record's figure."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.experiments import toy
from tests.experiments.toy import record
from tests.tiny import clip
from zeroseg.experiments import Column, Experiment, Record, read_records
from zeroseg.experiments.page import by_variant
from zeroseg.reproduce import PAPER, PICTUREBOOK, PaperTable, Scale, WordsTable, compare, write_results
from zeroseg.reproduce.costs import TeacherSizes
from zeroseg.reproduce.paper_table import CostTable, Figure, StudyPlan
from zeroseg.reproduce.photos_table import photo_records
from zeroseg.reproduce.plots import side_by_side
from zeroseg.reproduce.presence_table import presence_records
from zeroseg.reproduce.results import cost_table, page, words_table
from zeroseg.reproduce.speed import Speed, read_speed, speed_path

OTHER = Column("elsewhere", toy.VOC, "product", "upper_bound_miou")
PROSE = "# Toys\n\n{missing}\n\n## Nine\n\n{t9}\n\n## Words\n\n{t8}\n\n{losses}\n\n```sh\n{setup}\n{command}\n```\n"


def scale_of(experiment: Experiment) -> Scale:
    """A scale of toys with one table."""
    experiment.template.write_text(PROSE, encoding="utf-8")
    product = Column("mIoU", toy.VOC, "product")
    paper = {"base": 40.0, "centred": 30.0}
    rows = ("base", "centred", "batch-1")
    also = {OTHER: {"base": 20.0, "batch-1": 10.0}}
    table = PaperTable("t9", "Table 9: toys", rows, paper, (product, OTHER), product, also, {"centred": 15.0})
    words = WordsTable("t8", "Words", ("base",), toy.VOC, ("sunflower", "star fish"), {"base": 27.85})
    sizes = TeacherSizes.of(clip().config)
    return Scale(
        name="picturebook",
        rows=experiment,
        tables=(table,),
        words=words,
        costs=CostTable("t7", ("base",), {}),
        page="results",
        images=6,
        command="zeroseg make toys",
        teacher=sizes,
        tflops=0.1,
        data=("toys",),
        figures=(Figure("losses", "Dogs and cats", ("base", "centred"), ("dog", "cat"), ("dog", "cat")),),
        study=StudyPlan("t2", ("base", "centred"), ("dog", "cat"), questions=2),
    )


@pytest.fixture
def scale(tmp_path: Path) -> Scale:
    return scale_of(toy.experiment(tmp_path))


def test_orders_are_compared_pair_by_pair():
    """a > b > c in the paper. Ours: a and c clearly above b, a and c within their spread of each other."""
    order = compare(
        {"a": 30.0, "b": 20.0, "c": 10.0, "not run": 5.0}, {"a": [50.0, 52.0], "b": [20.0], "c": [51.0, 54.0]}
    )
    assert (order.agree, order.tied, order.against) == (1, 1, (("b", "c"),))
    assert order.pairs == 3
    assert compare({"a": 1.0}, {"a": [1.0]}).pairs == 0


def cells_of(text: str) -> dict[str, list[str]]:
    """The rows of tables by their first cell."""
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| `")]
    return {name.strip("`"): cells for name, *cells in lines}


def test_the_page_sets_the_papers_figures_beside_ours(scale: Scale, tmp_path: Path):
    records = [record(miou=0.40), record(seed=1, miou=0.44), record("centred", miou=0.50, images_per_second=120.0)]
    for one in records:
        one.write(tmp_path)
    seconds = {"base": [1.0, 1.0, 1.0, 2.0], "centred": [0.8, 1.0, 0.8, 1.0]}
    Speed(seconds, 2, 1, "cpu").write(speed_path(tmp_path, "toy"))
    path = write_results(scale, tmp_path, tmp_path / "docs")
    text = path.read_text()
    rows = cells_of(text.split("## Words")[0])
    assert rows["base"][1:] == ["40.0", "20.0", "42.0 \u00b1 2.8", "80.0 \u00b1 0.0", "-", "0 (0 to 0)", "2"]
    assert rows["centred"][1:] == ["30.0", "-", "50.0", "80.0", "15", "25 (6 to 81)", "1"]
    assert rows["batch-1"][1:] == ["-", "10.0", "-", "-", "-", "-", "0"]
    assert "On *mIoU*, 0 of the 1 pairs of rows that the paper orders stand in its order; the paper has `base`" in text
    assert "On *elsewhere* there is nothing to compare yet." in text
    assert "Not run yet: `batch-1`." in text
    assert "zeroseg make toys\nzeroseg reproduce --images images" in text
    ElementTree.fromstring((tmp_path / "docs/images/results-t9.svg").read_text())
    html = (tmp_path / "docs/results.html").read_text()
    assert "data:image/svg+xml;base64," in html
    assert "42.0 \u00b1 2.8" in html
    assert "images/results" not in html  # it needs nothing but itself


def test_a_figure_is_shown_where_it_was_drawn(scale: Scale):
    found = by_variant(scale.rows, [])
    shown = "![Dogs and cats](images/results-losses.jpg)"
    assert shown in page(scale, found, figures=["losses"])
    assert "(Dogs and cats: not drawn yet.)" in page(scale, found)


def test_a_page_without_records_says_so(scale: Scale):
    text = page(scale, by_variant(scale.rows, []))
    assert "On *mIoU* there is nothing to compare yet." in text
    assert "{" not in text


@pytest.mark.parametrize("real", [PICTUREBOOK, PAPER], ids=["picturebook", "paper"])
def test_the_prose_of_both_scales_has_a_place_for_every_table(real: Scale):
    text = page(real, by_variant(real.rows, []))
    stem = "results" if real is PICTUREBOOK else "results-paper"
    for table in real.tables:
        assert f"(images/{stem}-{table.name}.svg)" in text
    assert "{" not in text


def test_words_are_averaged_over_words_and_seeds(scale: Scale):
    """.3 and .5 with one seed, .5 and .7 with the other; two other nouns, and a background that does not count."""

    def scored(seed: int, sunflower: float, starfish: float) -> Any:
        iou = {"background": 0.9, "sunflower": sunflower, "star fish": starfish, "dog": 0.2, "cat": 0.4, "car": None}
        return record(seed=seed, scores={"held-out": {toy.VOC: {"product": {"miou": 0.5, "iou": iou}}}})

    text = words_table(scale.words, {"base": [scored(0, 0.3, 0.5), scored(1, 0.5, 0.7)]})
    (row,) = cells_of(text).values()
    assert "On *the mean of these words* there is nothing to compare yet." in text
    assert row == ["40.0", "60.0", "50.0 \u00b1 14.1", "30.0 \u00b1 0.0", "27.9", "2"]


def test_words_that_no_scene_shows_are_a_dash(scale: Scale):
    iou = {"background": 0.9, "sunflower": None, "star fish": None}
    scores = {"held-out": {toy.VOC: {"product": {"miou": 0.5, "iou": iou}}}}
    (row,) = cells_of(words_table(scale.words, {"base": [record(scores=scores)]})).values()
    assert row == ["-", "-", "-", "-", "27.9", "1"]


def test_the_papers_own_words_stand_beside_ours(scale: Scale):
    words = replace(scale.words, by_word={"base": (10.0, 20.0)})
    assert "| the paper's `base` | 10.0 | 20.0 | 15.0 | - | - | - |" in words_table(words, {"base": []})


def test_rates_are_operations_times_images():
    """The cost of a row without records is known before anything is run."""
    rows = cells_of(cost_table(PICTUREBOOK, by_variant(PICTUREBOOK.rows, [])))
    assert set(rows) == {"ours", "captions", "captions-words", "masks"}
    assert [rows[name][-2:] for name in rows] == [["84", "0"], ["768", "0"], ["-", "0"], ["-", "0"]]
    assert all(re.fullmatch(r"\d+\.\d\d", cells[1]) for cells in rows.values())
    assert [cells[2] for cells in rows.values()] == ["5.27", "-", "-", "-"]  # 84 views of the teacher's .0628
    assert float(rows["captions-words"][1]) > float(rows["captions"][1])


def test_minutes_are_the_median_because_other_work_only_slows():
    runs = [
        record("captions", seed, experiment="tables", minutes=minutes) for seed, minutes in enumerate((8.0, 2.9, 2.6))
    ]
    found = {variant.name: [] for variant in PICTUREBOOK.rows.variants} | {"captions": runs}
    assert cells_of(cost_table(PICTUREBOOK, found))["captions"][5] == "2.9 (2.6 to 8.0)"


def test_the_prose_says_what_came_out_only_of_whole_tables(scale: Scale):
    prose = PROSE.replace("## Words", "<!-- t9 -->\n\nBase wins.\n\n<!-- end -->\n\n## Words")
    scale.rows.template.write_text(prose)
    runs = [record(), record("centred"), record("batch-1")]
    assert "Base wins." in page(scale, by_variant(scale.rows, runs))
    for some in ([], runs[:2], [replace(one, samples=4, settings=shorter(one)) for one in runs]):
        text = page(scale, by_variant(scale.rows, some))
        assert "Base wins." not in text
        assert "<!--" not in text


def shorter(one: Record) -> dict[str, Any]:
    distill = one.settings["distill"]
    return {**one.settings, "distill": {**distill, "loop": {**distill["loop"], "steps": 2}}}


def test_the_committed_page_is_what_the_records_say():
    docs = Path(__file__).parents[2] / "docs"
    found = by_variant(PICTUREBOOK.rows, read_records(docs / "records", PICTUREBOOK.rows.name))
    speed = read_speed(speed_path(docs / "records", PICTUREBOOK.rows.name))
    figures = [name for name in ("losses", "captions") if (docs / f"images/results-{name}.jpg").is_file()]
    more = photo_records(docs / "records"), presence_records(docs / "records")
    assert (docs / "results.md").read_text(encoding="utf-8") == page(PICTUREBOOK, found, speed, figures, *more)


def test_bars_and_whiskers_are_at_their_heights():
    """Levels 0 .. 50 over 200 units: 25 is half-way up, and the whisker reaches from 20 to 30."""
    drawing = ElementTree.fromstring(side_by_side("T <1>", {"a": (50.0, [20.0, 25.0, 30.0]), "b": (None, [])}, "ours"))
    space = {"s": "http://www.w3.org/2000/svg"}
    bars = [bar for bar in drawing.iterfind(".//s:rect[@y]", space) if bar.find("s:title", space) is not None]
    assert [float(bar.attrib["height"]) for bar in bars] == pytest.approx([200.0, 100.0], abs=0.1)
    (whisker,) = drawing.iterfind(".//s:path", space)
    found = re.fullmatch(r"M[\d.]+ ([\d.]+)h10m-5 0V([\d.]+)m-5 0h10", whisker.attrib["d"])
    assert found is not None
    assert [float(y) for y in found.groups()] == pytest.approx([256 - 200 * 0.6, 256 - 200 * 0.4], abs=0.1)
