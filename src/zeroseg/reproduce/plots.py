"""The rows of a table as an SVG file: the paper's figure and ours side by side, ours with its standard deviation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from statistics import mean, stdev

from zeroseg.report.charts import ticks
from zeroseg.report.html import STYLE

WIDTH, BARS = 720, 200
LEFT, TOP = 60, 56
LETTER = 6.6  # approximate width in units: names that are too wide are slanted
SLOPE = 0.57  # height of a slanted name, as a fraction of its length
Row = tuple[float | None, Sequence[float]]  # the paper's figure, ours of all seeds


def side_by_side(title: str, rows: Mapping[str, Row], ours_are: str) -> str:
    """Bars in pairs, one pair for each row; a missing figure is left out. `ours_are`: the name of our bars."""
    values = [paper for paper, _ in rows.values() if paper is not None]
    values += [value for _, ours in rows.values() for value in ours]
    levels = ticks(0.0, *values)
    room = (WIDTH - LEFT) / max(1, len(rows))
    longest = LETTER * max(map(len, rows), default=0)
    slanted = longest > room
    height = TOP + BARS + (40 if not slanted else 40 + SLOPE * longest)
    drawn = [_level(level, levels) for level in levels]
    for number, (name, (paper, ours)) in enumerate(rows.items()):
        left = LEFT + number * room
        drawn += [] if paper is None else [_bar(left + 0.18 * room, 0.3 * room, paper, levels, 2)]
        if ours:
            drawn.append(_bar(left + 0.52 * room, 0.3 * room, mean(ours), levels, 1))
            drawn.append(_whisker(left + 0.67 * room, ours, levels))
        drawn.append(_name(left + room / 2, name, slanted))
    keys = "".join(
        f'<rect class="bar f{colour}" x="{LEFT + place}" y="34" width="12" height="12"/>'
        f'<text class="named" x="{LEFT + place + 18}" y="44">{words}</text>'
        for place, colour, words in ((0, 2, "the paper, PASCAL VOC"), (190, 1, escape(ours_are)))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" '
        f'width="{WIDTH}" height="{height:.0f}">\n'
        f"<title>{escape(title)}</title>\n<style>\n{escape(STYLE.read_text(encoding='utf-8'))}</style>\n"
        f'<rect width="100%" height="100%" style="fill: var(--paper)"/>\n<g class="chart">'
        f'<text class="named" x="{LEFT}" y="20" font-weight="600">{escape(title)}, mIoU in per cent</text>{keys}\n'
        f"{''.join(drawn)}</g>\n</svg>\n"
    )


def _name(x: float, name: str, slanted: bool) -> str:
    y = TOP + BARS + 18
    how = f'text-anchor="end" transform="rotate(-35 {x:.1f} {y})"' if slanted else 'text-anchor="middle"'
    return f'<text class="named" x="{x:.1f}" y="{y}" {how}>{escape(name)}</text>'


def _down(value: float, levels: Sequence[float]) -> float:
    return TOP + BARS - value / levels[-1] * BARS


def _level(level: float, levels: Sequence[float]) -> str:
    y = _down(level, levels)
    return (
        f'<line class="gridline" x1="{LEFT}" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text class="tick" x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{level:g}</text>'
    )


def _bar(x: float, width: float, value: float, levels: Sequence[float], colour: int) -> str:
    y = _down(value, levels)
    return (
        f'<rect class="bar f{colour}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" '
        f'height="{TOP + BARS - y:.1f}"><title>{value:.1f}</title></rect>'
    )


def _whisker(x: float, ours: Sequence[float], levels: Sequence[float]) -> str:
    """Mean ± standard deviation; nothing for a single seed."""
    if len(ours) < 2:
        return ""
    high, low = (_down(mean(ours) + sign * stdev(ours), levels) for sign in (1, -1))
    path = f"M{x - 5:.1f} {high:.1f}h10m-5 0V{low:.1f}m-5 0h10"
    return f'<path class="line" style="fill: none; stroke: var(--ink)" d="{path}"/>'
