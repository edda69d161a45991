"""Several line charts side by side, as one SVG file: figures of pages in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from xml.etree import ElementTree

from zeroseg.report.charts import Point, line_chart
from zeroseg.report.html import STYLE

COLUMNS, GAP = 2, 24  # panels side by side; space around them
WIDTH, HEIGHT = 420, 220  # of a chart, as `line_chart` draws it
HEADING, TITLE, LINE = 30, 22, 17  # heights: of the heading, of a panel's title, of a line of its legend
IN_A_LINE = 2  # names in one line of the legend


@dataclass(frozen=True)
class Panel:
    """A chart: its lines by name, and what its axes are."""

    title: str
    lines: Mapping[str, Sequence[Point]]
    x_label: str
    y_label: str


def panels_svg(title: str, heading: str, panels: Sequence[Panel]) -> str:
    """The text of an SVG file. `title` is what screen readers hear, `heading` stands above the panels."""
    legend = max(-(-len(panel.lines) // IN_A_LINE) for panel in panels) * LINE
    height = TITLE + legend + HEIGHT
    rows = -(-len(panels) // COLUMNS)
    size = (COLUMNS * (WIDTH + GAP) + GAP, HEADING + rows * (height + GAP) + GAP)
    drawn = f'<g class="chart">{_words(GAP, GAP + 12, heading, bold=True)}</g>'
    for place, panel in enumerate(panels):
        x, y = GAP + place % COLUMNS * (WIDTH + GAP), HEADING + GAP + place // COLUMNS * (height + GAP)
        drawn += f'\n<g transform="translate({x} {y})">{_drawn(panel, legend)}</g>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]} {size[1]}" width="{size[0]}" '
        f'height="{size[1]}">\n<title>{escape(title)}</title>\n'
        f"<style>\n{escape(STYLE.read_text(encoding='utf-8'))}</style>\n"
        f'<rect width="100%" height="100%" style="fill: var(--paper)"/>\n{drawn}\n</svg>\n'
    )


def _drawn(panel: Panel, legend: int) -> str:
    """Title, legend and chart. The chart is that of a report, without its HTML."""
    figure = ElementTree.fromstring(line_chart(panel.lines, panel.x_label, panel.y_label, panel.title))
    chart = figure.findall("svg")[-1]
    place = {"y": TITLE + legend, "width": WIDTH, "height": HEIGHT}
    chart.attrib |= {"class": "chart", "overflow": "visible"} | {key: f"{value}" for key, value in place.items()}
    keys = "".join(_key(name, number) for number, name in enumerate(panel.lines))
    words = f'<g class="chart">{_words(0, 12, panel.title, bold=True)}{keys}</g>'
    return words + ElementTree.tostring(chart, encoding="unicode")


def _key(name: str, number: int) -> str:
    """A name in the legend with a sample of its line."""
    x, y = number % IN_A_LINE * WIDTH // IN_A_LINE, TITLE + number // IN_A_LINE * LINE + 8
    line = f'<line class="line c{number + 1}" x1="{x}" x2="{x + 30}" y1="{y}" y2="{y}"/>'
    return line + _words(x + 38, y + 4, name)


def _words(x: int, y: int, words: str, bold: bool = False) -> str:
    weight = ' font-weight="600"' if bold else ""
    return f'<text class="named" x="{x}" y="{y}"{weight}>{escape(words)}</text>'
