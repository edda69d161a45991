"""A report asks for nothing outside itself, shows words as they are, and draws whatever the figures are."""

import base64
import math
import re
from html.parser import HTMLParser
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from zeroseg import report
from zeroseg.report import Section
from zeroseg.report.charts import number_text, ticks

NASTY = '<script>alert("1 & 2")</script>\'"'
VOID = {"meta", "link", "img", "br"}
SHAPES = {"line": ("x1", "x2", "y1", "y2"), "circle": ("cx", "cy"), "rect": ("x", "y", "width", "height")}


class Balance(HTMLParser):
    """Which elements are open, which were closed out of order, and all attributes met."""

    def __init__(self):
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def full_page(words: str = "words") -> str:
    """Everything that a report can hold, with `words` wherever words go."""
    image = Image.new("RGB", (8, 6), "red")
    blocks = (
        report.paragraph(words),
        report.chips({words: words}),
        report.facts({words: words, "steps": 1200, "rate": 0.5}),
        report.code([(words, words)]),
        report.beside([report.picture(image, words, words)]),
        report.table([words, "mIoU"], [[words, 1.0], ["other", None]], words, strong=[0]),
        report.grid([report.line_chart({words: [(0, 1), (5, 2)], "b": [(0, 2)]}, words, words, words, {words: 1.5})]),
        report.bar_chart({words: [1, 2], "b": [3]}, words, words, words),
    )
    return report.page(words, [Section(words, blocks)], [report.paragraph(words)], words)


def parsed(html: str) -> Balance:
    balance = Balance()
    balance.feed(html)
    balance.close()
    return balance


def figure(html: str) -> ElementTree.Element:
    return ElementTree.fromstring(html)


def coordinates(chart: ElementTree.Element) -> list[float]:
    """Every number that places something in the (last) drawing of a figure."""
    svg = chart.findall("svg")[-1]
    found = [float(shape.get(key, "nan")) for tag, keys in SHAPES.items() for shape in svg.iter(tag) for key in keys]
    lines = [line.get("points", "") for line in svg.iter("polyline")]
    return found + [float(number) for line in lines for number in re.split("[ ,]", line)]


def assert_inside(html: str) -> ElementTree.Element:
    chart = figure(html)
    width, height = (float(side) for side in chart.findall("svg")[-1].get("viewBox", "").split()[2:])
    assert all(math.isfinite(value) and -1 <= value <= max(width, height) + 1 for value in coordinates(chart))
    return chart


def test_a_page_asks_for_nothing_outside_itself():
    html = full_page()
    assert not re.search(r"https?:|//[a-z]|@import|url\(|<script|<iframe|<object", html)
    loaded = [value for key, value in parsed(html).attributes if key in {"src", "href", "srcset", "data", "action"}]
    assert loaded
    assert all(value is not None and value.startswith(("data:", "#")) for value in loaded)
    assert "default-src 'none'" in html  # the browser refuses the rest


def test_a_page_is_well_formed_and_declares_what_phones_and_readers_need():
    html = full_page()
    page = parsed(html)
    assert page.open == []
    assert page.wrong == []
    attributes = set(page.attributes)
    assert {("lang", "en"), ("charset", "utf-8"), ("name", "viewport"), ("role", "img")} <= attributes
    assert "prefers-color-scheme: dark" in html
    assert html.count("alt=") == html.count("<img")


def test_words_are_shown_as_they_are():
    page = parsed(full_page(NASTY))
    assert "script" not in page.tags
    assert page.tags == parsed(full_page()).tags  # no word becomes an element
    assert page.wrong == []
    assert NASTY in dict(page.attributes).values()  # in alt texts and labels, unescaped by the parser


def test_a_picture_travels_inside_the_page():
    shown = figure(report.picture(Image.new("RGBA", (31, 17), (0, 128, 0, 255)), "a caption", "what is on it"))
    image = shown.find("img")
    assert image is not None
    assert (image.get("alt"), image.get("width"), image.get("height")) == ("what is on it", "31", "17")
    data = base64.b64decode(image.get("src", "").removeprefix("data:image/jpeg;base64,"))
    assert Image.open(BytesIO(data)).size == (31, 17)
    assert shown.findtext("figcaption") == "a caption"


def test_a_table_sets_numbers_right_and_gaps_as_dashes():
    shown = figure(report.table(["who", "mIoU", "scenes"], [["a", 40.26, 1500], ["b", math.nan, None]], strong=[1]))
    body = shown.findall(".//tbody/tr")
    assert [[cell.text for cell in row] for row in body] == [["a", "40.3", "1,500"], ["b", "\u2013", "\u2013"]]
    assert [cell.get("class") for cell in body[0]] == [None, "n", "n"]
    assert [row.get("class") for row in body] == [None, "strong"]
    assert shown.find(".//caption") is None
    assert figure(report.table(["who"], [])).findall(".//tbody/tr") == []


def test_a_table_refuses_rows_of_another_length():
    with pytest.raises(ValueError, match="2 cells"):
        report.table(["who", "mIoU"], [["a"]])


@pytest.mark.parametrize(
    "points",
    [
        [],
        [(0, 3)],
        [(5, 0), (5, 0)],
        [(0, 3), (10, 3)],
        [(0, -2), (1, 1e-9), (2, 5e6)],
        [(0, math.nan), (1, math.inf)],
        [(0, 0), (1, 0)],
    ],
    ids=["empty", "one", "twice", "constant", "wide range", "not finite", "zeros"],
)
@pytest.mark.parametrize("references", [{}, {"low": -1.0, "level": 3.0, "nan": math.nan}], ids=["alone", "references"])
@pytest.mark.parametrize("from_zero", [True, False])
def test_any_line_is_drawn_inside_its_frame(points: list, references: dict, from_zero: bool):
    html = report.line_chart({"a": points}, "steps", "loss", "title", references, from_zero=from_zero)
    chart = assert_inside(html)
    empty = not [y for _, y in points if math.isfinite(y)]
    assert ("nothing was recorded" in html) == empty
    assert len(list(chart.iter("polyline"))) == int(len(points) > 1 and not empty)


def test_a_chart_says_in_words_what_it_shows():
    html = report.line_chart({"student": [(0, 3.1), (100, 25)]}, "steps", "mIoU", "Learning", {"teacher": 27.5})
    spoken = figure(html).findall("svg")[-1].get("aria-label", "")
    assert "student: from 3.1 at 0 to 25 at 100" in spoken
    assert "teacher: 27.5" in spoken


def test_lines_have_a_legend_when_there_are_several():
    one = figure(report.line_chart({"a": [(0, 1)]}, "x", "y", "t"))
    two = figure(report.line_chart({"a": [(0, 1)], "b": [(0, 2)]}, "x", "y", "t"))
    assert one.find("ul") is None
    assert ["".join(item.itertext()) for item in two.findall("ul/li")] == ["a", "b"]


def test_names_of_close_levels_do_not_cover_each_other():
    levels = {f"level {k}": 20 + k / 100 for k in range(4)}
    chart = figure(report.line_chart({"a": [(0, 0), (1, 1)]}, "x", "y", "t", levels))
    heights = sorted(float(name.get("y", "nan")) for name in chart.iter("text") if name.get("class") == "named")
    assert all(lower - upper >= 13.9 for upper, lower in pairwise(heights))


@pytest.mark.parametrize(
    "groups",
    [
        {},
        {"a": []},
        {"a": [1.0]},
        {"a": [0, 0], "b": [0]},
        {"a": [-2, 5], "b": [math.nan]},
        {f"a long label {k}": [k] for k in range(30)},
    ],
    ids=["empty", "empty group", "one", "zeros", "negative and nan", "many long names"],
)
def test_any_bars_are_drawn_inside_their_frame(groups: dict):
    html = report.bar_chart(groups, "times", "title")
    chart = assert_inside(html)
    bars = [value for values in groups.values() for value in values if math.isfinite(value)]
    assert len(list(chart.iter("rect"))) == len(bars)
    assert ("nothing was recorded" in html) == (not bars)


@settings(max_examples=300)
@given(values=st.lists(st.floats(-1e9, 1e9), max_size=5))
@example(values=[])
@example(values=[0.0])
@example(values=[5e-324])
@example(values=[1e9, 1e9 + 1e-6])
def test_ticks_are_few_even_and_enclose_the_values(values: list[float]):
    found = ticks(*values)
    assert 2 <= len(found) <= 8
    step = found[1] - found[0]
    assert step > 0
    assert all(b - a == pytest.approx(step, rel=1e-3) for a, b in pairwise(found))
    slack = 1e-6 * step + 1e-9 * max(map(abs, found))
    assert all(found[0] - slack <= value <= found[-1] + slack for value in values)


def test_numbers_are_short():
    assert [number_text(value) for value in (0.0, 0.25, 46.31, 999.7, 1200.0, 3e-5)] == [
        "0", "0.25", "46.3", "1,000", "1,200", "3e-05",
    ]  # fmt: skip


def test_a_markdown_page_becomes_one_html_page(tmp_path: Path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images/bars & more.svg").write_text("<svg/>")
    text = (
        "# Title & all\n\nA *lead* with <b>tags</b>.\n\n## First `code`\n\n| a | b |\n| --- | ---: |\n| x | 1 |\n\n"
        "![Bars](<images/bars & more.svg>)\n\n## Second\n\n```sh\nzeroseg --help\n```\n"
    )
    made = report.from_markdown(text, tmp_path, "the end")
    parser = Balance()
    parser.feed(made)
    assert not parser.open
    assert "<title>Title &amp; all</title>" in made
    assert re.findall(r'<a href="#part-\d">([^<]*)</a>', made) == ["First code", "Second"]
    assert f'src="data:image/svg+xml;base64,{base64.b64encode(b"<svg/>").decode()}"' in made
    assert '<td style="text-align:right">1</td>' in made
    assert 'href="images' not in made
    assert 'src="images' not in made


def test_a_markdown_page_whose_picture_is_not_there_is_not_made(tmp_path: Path):
    with pytest.raises(OSError, match=r"gone\.svg"):
        report.from_markdown("# T\n\n![gone](gone.svg)\n", tmp_path)
