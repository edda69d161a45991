"""The paper's tables as runs: every row is what it says, and the order of ours is compared with the paper's by hand."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.experiments import toy
from tests.experiments.toy import record
from zeroseg.experiments import Column, Experiment
from zeroseg.reproduce import TRAINED, PaperTable, compare, write_results
from zeroseg.reproduce.plots import side_by_side
from zeroseg.reproduce.results import page

TABLE = pytest.mark.parametrize("table", TRAINED.values(), ids=list(TRAINED))


def config(table: str, row: str):
    experiment = TRAINED[table].experiment
    variant = next(variant for variant in experiment.variants if variant.name == row)
    return experiment.config(variant, experiment.recipe(), 0)


@TABLE
def test_the_paper_has_rows_that_are_run_and_its_column_is_measured(table: PaperTable):
    experiment = table.experiment
    names = [variant.name for variant in experiment.variants]
    assert set(table.paper) <= set(names)
    assert table.column in experiment.columns
    assert experiment.name == table.name
    assert [row.name for row in table.rows][: len(table.paper)] == list(table.paper)
    assert all(re.fullmatch(r"[a-z0-9.-]+", name) for name in names)
    runs = [
        (variant.learns_from, experiment.config(variant, experiment.recipe(), 0)) for variant in experiment.variants
    ]
    assert len(set(map(repr, runs))) == len(names)


def test_the_figures_are_the_papers():
    assert TRAINED["t3"].paper == {"1x1": 21.1, "1x1-2x2": 23.7, "1x1-3x3": 40.2, "1x1-4x4": 32.4, "all": 40.8}
    assert TRAINED["t4"].paper == {"base": 21.1, "multi-scale": 28.5, "matching": 38.6, "both": 40.8}
    ratios = {
        f"mask-{k}": v
        for k, v in zip(range(0, 90, 10), (35.6, 0, 37.6, 38.7, 40.4, 39.8, 40.8, 33.3, 32.8), strict=True)
    }
    assert TRAINED["t5"].paper == {name: value for name, value in ratios.items() if value}
    assert TRAINED["t6"].paper == {"tenth": 40.8, "all": 42.9}


def test_rows_differ_in_what_they_are_about():
    assert config("t3", "1x1-3x3").views.grids == (1, 3)
    assert config("t3", "all").views.grids == (1, 2, 3, 4)
    assert not config("t4", "base").multi_scale
    assert not config("t4", "matching").multi_scale
    assert config("t4", "multi-scale").multi_scale
    assert config("t4", "matching").losses == config("t4", "both").losses
    assert config("t4", "base").losses == config("t4", "multi-scale").losses
    assert (config("t4", "both-equation-1").losses.matching, config("t4", "both").losses.matching) == (1.0, 0.0)
    assert [config("t5", f"mask-{ratio}").mask_ratio for ratio in (0, 30, 80)] == [0.0, 0.3, 0.8]
    assert [config("t6", row).first_images for row in ("all", "half", "tenth")] == [0, 7168, 1434]


def test_orders_are_compared_pair_by_pair():
    """a > b > c in the paper. Ours: a and c clearly above b, a and c within their spread of each other."""
    order = compare(
        {"a": 30.0, "b": 20.0, "c": 10.0, "not run": 5.0}, {"a": [50.0, 52.0], "b": [20.0], "c": [51.0, 54.0]}
    )
    assert (order.agree, order.tied, order.against) == (1, 1, (("b", "c"),))
    assert order.pairs == 3
    assert compare({"a": 1.0}, {"a": [1.0]}).pairs == 0


@pytest.fixture
def table(tmp_path: Path) -> PaperTable:
    return paper_table(toy.experiment(tmp_path))


def paper_table(experiment: Experiment) -> PaperTable:
    column = Column("mIoU", toy.VOC, "product")
    return PaperTable("toy", "Table 9: toys", "A note.", experiment, {"base": 40.0, "centred": 30.0}, column)


def test_the_page_sets_the_papers_figures_beside_ours(table: PaperTable, tmp_path: Path):
    records = [record(miou=0.40), record(seed=1, miou=0.44), record("centred", miou=0.50)]
    for one in records:
        one.write(tmp_path)
    path = write_results([table], tmp_path, tmp_path / "docs")
    text = path.read_text()
    rows = {
        line.split(" | ")[0].strip("| `"): line.split(" | ") for line in text.splitlines() if line.startswith("| `")
    }
    assert rows["base"][2:4] == ["40.0", "42.0 \u00b1 2.8"]
    assert rows["centred"][2:4] == ["30.0", "50.0"]
    assert rows["batch-1"][2:4] == ["-", "-"]
    assert "Of 1 pairs of rows that the paper orders, 0 have the same order here; the paper has `base` above" in text
    assert "images/results-toy.svg" in text
    ElementTree.fromstring((tmp_path / "docs/images/results-toy.svg").read_text())


def test_a_page_without_records_says_so(table: PaperTable):
    nothing = {variant.name: [] for variant in table.experiment.variants}
    text = page({"toy": table}, {"toy": nothing})
    assert "Nothing to compare yet." in text
    assert "{" not in text


def test_bars_and_whiskers_are_at_their_heights():
    """Levels 0 .. 50 over 208 units: 25 is half-way up, and the whisker reaches from 20 to 30."""
    drawing = ElementTree.fromstring(side_by_side("T <1>", {"a": (50.0, [20.0, 25.0, 30.0]), "b": (None, [])}))
    space = {"s": "http://www.w3.org/2000/svg"}
    bars = [bar for bar in drawing.iterfind(".//s:rect[@y]", space) if bar.find("s:title", space) is not None]
    assert [float(bar.attrib["height"]) for bar in bars] == pytest.approx([208.0, 104.0], abs=0.1)
    (whisker,) = drawing.iterfind(".//s:path", space)
    found = re.fullmatch(r"M[\d.]+ ([\d.]+)h10m-5 0V([\d.]+)m-5 0h10", whisker.attrib["d"])
    assert found is not None
    assert [float(y) for y in found.groups()] == pytest.approx([264 - 208 * 0.6, 264 - 208 * 0.4], abs=0.1)
