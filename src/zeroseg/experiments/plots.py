"""An experiment's curves as an SVG file: one panel for each group of variants; all panels show the base."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from statistics import mean
from typing import Literal
from xml.etree import ElementTree

from zeroseg.experiments.design import Experiment, Variant
from zeroseg.experiments.records import Record
from zeroseg.experiments.tables import Found
from zeroseg.report import Point, line_chart
from zeroseg.report.html import STYLE

COLUMNS, GAP = 2, 24  # panels side by side; space around them
WIDTH, HEIGHT = 420, 220  # of a chart, as `line_chart` draws it
HEADING, TITLE, LINE = 30, 22, 17  # heights: of the heading, of a panel's title, of a line of its legend
IN_A_LINE = 2  # names in one line of the legend


@dataclass(frozen=True)
class Measure:
    """A metric of the curve: its place in a record, and its title."""

    name: str
    part: Literal["training", "validation"]
    figure: str
    title: str
    label: str
    scale: float = 1.0


MEASURES = (
    Measure("token-cosine", "training", "token_cosine", "Token cosine", "mean cosine between a picture's tokens"),
    Measure("segments-in-use", "training", "segments_in_use", "Segments in use", "segments a picture that win a patch"),
    Measure("miou", "validation", "miou", "mIoU on validation scenes", "per cent, in the recipe's own reading", 100.0),
)


def plot(experiment: Experiment, found: Found, measure: Measure) -> str:
    """A measure over the samples seen, as the text of an SVG file; lines are means over the seeds."""
    legend = max(-(-(1 + len(group)) // IN_A_LINE) for group in experiment.groups.values()) * LINE
    height = TITLE + legend + HEIGHT
    rows = -(-len(experiment.groups) // COLUMNS)
    size = (COLUMNS * (WIDTH + GAP) + GAP, HEADING + rows * (height + GAP) + GAP)
    heading = _words(GAP, GAP + 12, f"{measure.title}: {measure.label}, over the samples seen", bold=True)
    drawn = f'<g class="chart">{heading}</g>'
    for place, (title, group) in enumerate(experiment.groups.items()):
        x, y = GAP + place % COLUMNS * (WIDTH + GAP), HEADING + GAP + place // COLUMNS * (height + GAP)
        panel = _panel(title, (experiment.base, *group), found, measure, legend)
        drawn += f'\n<g transform="translate({x} {y})">{panel}</g>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]} {size[1]}" width="{size[0]}" '
        f'height="{size[1]}">\n<title>{escape(f"{measure.title}, experiment {experiment.name}")}</title>\n'
        f"<style>\n{escape(STYLE.read_text(encoding='utf-8'))}</style>\n"
        f'<rect width="100%" height="100%" style="fill: var(--paper)"/>\n{drawn}\n</svg>\n'
    )


def mean_curve(records: Sequence[Record], measure: Measure) -> list[Point]:
    """(samples seen, mean over the seeds) at every step for which all seeds have a value."""
    values: dict[int, list[float]] = defaultdict(list)
    for record in records:
        columns = record.curve[measure.part]
        batch_size: int = record.settings["distill"]["loop"]["batch_size"]
        for step, value in zip(columns["step"], columns.get(measure.figure, []), strict=False):
            if value is not None:
                values[step * batch_size].append(measure.scale * value)
    return [(samples, mean(some)) for samples, some in sorted(values.items()) if len(some) == len(records)]


def _panel(title: str, variants: Sequence[Variant], found: Found, measure: Measure, legend: int) -> str:
    """Title, legend and chart of a group. The chart is that of a report, without its HTML."""
    lines = {variant.name: mean_curve(found[variant.name], measure) for variant in variants}
    figure = ElementTree.fromstring(line_chart(lines, "samples", measure.label, title))
    chart = figure.findall("svg")[-1]
    place = {"y": TITLE + legend, "width": WIDTH, "height": HEIGHT}
    chart.attrib |= {"class": "chart", "overflow": "visible"} | {key: f"{value}" for key, value in place.items()}
    names = [name if found[name] else f"{name} (not run)" for name in lines]
    keys = "".join(_key(name, number) for number, name in enumerate(names))
    words = f'<g class="chart">{_words(0, 12, title, bold=True)}{keys}</g>'
    return words + ElementTree.tostring(chart, encoding="unicode")


def _key(name: str, number: int) -> str:
    """A name in the legend with a sample of its line."""
    x, y = number % IN_A_LINE * WIDTH // IN_A_LINE, TITLE + number // IN_A_LINE * LINE + 8
    line = f'<line class="line c{number + 1}" x1="{x}" x2="{x + 30}" y1="{y}" y2="{y}"/>'
    return line + _words(x + 38, y + 4, name)


def _words(x: int, y: int, words: str, bold: bool = False) -> str:
    weight = ' font-weight="600"' if bold else ""
    return f'<text class="named" x="{x}" y="{y}"{weight}>{escape(words)}</text>'
