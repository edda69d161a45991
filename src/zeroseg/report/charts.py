"""Charts as SVG for `page`: lines over an axis, bars in groups. They use the page's colours.

Coordinates inside are units of the drawing: x runs right, y runs down.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from zeroseg.report.html import Html

Number = int | float
Point = tuple[Number, Number]

COLOURS = 6  # CSS classes c1 .. c6 (strokes) and f1 .. f6 (fills); then they repeat
FEW_POINTS = 24  # up to so many points, a line shows each of them
TEXT = 14.0  # height of a line of text


@dataclass(frozen=True)
class _Frame:
    """The drawing's size, its margins, and the values at its edges."""

    width: Number
    height: Number
    x: tuple[Number, Number]
    y: tuple[Number, Number]
    left: Number = 46
    right: Number = 10
    top: Number = 10
    bottom: Number = 24

    def across(self, x: Number) -> float:
        low, high = self.x
        return self.left + (x - low) / (high - low) * (self.width - self.left - self.right)

    def down(self, y: Number) -> float:
        low, high = self.y
        return self.height - self.bottom - (y - low) / (high - low) * (self.height - self.top - self.bottom)


def line_chart(
    series: Mapping[str, Sequence[Point]],
    x_label: str,
    y_label: str,
    title: str,
    references: Mapping[str, Number] | None = None,
    wide: bool = False,
    from_zero: bool = True,
) -> Html:
    """Lines over a common axis, and dashed horizontal lines with names for `references`.

    `wide` is for a chart as wide as the page. With `from_zero` the y axis begins at 0. Points that are not finite are
    left out; a chart without any point says so.
    """
    lines = {name: _finite(points) for name, points in series.items()}
    levels = {name: value for name, value in (references or {}).items() if math.isfinite(value)}
    points = [point for line in lines.values() for point in line]
    width, height = (720.0, 300.0) if wide else (420.0, 220.0)
    xs, ys = [x for x, _ in points], [*(y for _, y in points), *levels.values()]
    low, high = min(xs, default=0.0), max(xs, default=1.0)
    low = 0.0 if 0 < low < high / 10 else low  # an axis from nearly 0 begins at 0
    x_range = (low, high if high > low else low + 1)
    y_ticks = ticks(*([0.0] if from_zero and ys else []), *ys)
    frame = _Frame(width, height, x_range, (y_ticks[0], y_ticks[-1]))
    drawn = [_level_grid(frame, y_ticks), _x_ticks(frame)]
    drawn += [_reference_lines(frame, levels)]
    drawn += [_line(frame, line, number) for number, line in enumerate(lines.values())]
    drawn += [_reference_names(frame, levels, points)]
    drawn += [_nothing_to_show(frame)] if not points else []
    spoken = f"Line chart, {y_label} over {x_label}. {_in_words(lines, levels)}"
    legend = _legend(lines) if len(lines) > 1 else ""
    return _figure(frame, drawn, title, f"{y_label}, over {x_label}", spoken, legend, wide)


def bar_chart(
    groups: Mapping[str, Sequence[Number]], y_label: str, title: str, x_label: str = "", wide: bool = False
) -> Html:
    """Bars from zero, in separate groups with one name each; a group may have one bar."""
    values = [value for bars in groups.values() for value in bars if math.isfinite(value)]
    y_ticks = ticks(0.0, *values)
    slots = sum(len(bars) + 1 for bars in groups.values())
    width, height = (720.0, 300.0) if wide else (420.0, 220.0)
    room = (width - 56) / max(1, slots)
    slanted = any(len(name) * 6.6 > room * (len(bars) + 1) for name, bars in groups.items())
    bottom = 24 + (min(90, 4.6 * max(map(len, groups))) if slanted else 0)
    frame = _Frame(width, height + bottom - 24, (0, max(1, slots)), (y_ticks[0], y_ticks[-1]), bottom=bottom)
    drawn, start = [_level_grid(frame, y_ticks)], 0.5
    plain = all(len(bars) < 2 for bars in groups.values())
    for number, (name, bars) in enumerate(groups.items()):
        colour = 1 if plain else number % COLOURS + 1
        drawn += [_bar(frame, start + k, value, name, colour) for k, value in enumerate(bars) if math.isfinite(value)]
        drawn.append(_bar_name(frame, frame.across(start + len(bars) / 2), name, slanted))
        start += len(bars) + 1
    drawn += [_nothing_to_show(frame)] if not values else []
    said = "; ".join(f"{name}: {', '.join(map(number_text, bars[:12]))}" for name, bars in list(groups.items())[:24])
    spoken = f"Bar chart, {y_label}. {said or 'Nothing was recorded.'}"
    return _figure(frame, drawn, title, f"{y_label}{f', by {x_label}' if x_label else ''}", spoken, "", wide)


def ticks(*values: Number, wanted: int = 5) -> list[float]:
    """At least two round numbers, evenly spaced; all values lie between the first and the last."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    size = max(abs(low), abs(high))
    if high - low <= max(1e-9 * size, 1e-12):  # a single value: add room on both sides
        low, high = (low - size / 2, high + size / 2) if size > 1e-12 else (0.0, 1.0)
    rough = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [float(f"{k * step:.12g}") for k in range(first, max(last, first + 1) + 1)]


def number_text(value: Number) -> str:
    """A number with three digits, or all digits of large whole numbers: 1,234 or 0.25 or 3e-05."""
    return f"{value:,.0f}" if abs(value) >= 999.5 else f"{value:.3g}"


def _tick_text(value: Number) -> str:
    return f"{value:,.10g}"


def _finite(points: Iterable[Point]) -> list[Point]:
    return [(float(x), float(y)) for x, y in points if math.isfinite(x) and math.isfinite(y)]


def _figure(frame: _Frame, drawn: Sequence[str], title: str, axes: str, spoken: str, legend: str, wide: bool) -> Html:
    return Html(
        f'<figure class="chart{" wide" if wide else ""}"><figcaption><b>{escape(title)}</b>{escape(axes)}</figcaption>'
        f'{legend}<svg viewBox="0 0 {frame.width:g} {frame.height:g}" role="img" aria-label="{escape(spoken)}">'
        f"{''.join(drawn)}</svg></figure>"
    )


def _level_grid(frame: _Frame, levels: Sequence[Number]) -> str:
    drawn = ""
    for level in levels:
        y, kind = frame.down(level), "base" if level == max(frame.y[0], 0.0) else "gridline"
        drawn += (
            f'<line class="{kind}" x1="{frame.left:g}" x2="{frame.width - frame.right:g}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text x="{frame.left - 6:g}" y="{y + 4:.1f}" text-anchor="end">{_tick_text(level)}</text>'
        )
    return drawn


def _x_ticks(frame: _Frame) -> str:
    low, high = frame.x
    chosen = [x for x in ticks(low, high, wanted=8 if frame.width > 500 else 4) if low <= x <= high] or [low]
    return "".join(
        f'<text x="{frame.across(x):.1f}" y="{frame.height - 6:g}" text-anchor="middle">{_tick_text(x)}</text>'
        for x in chosen
    )


def _line(frame: _Frame, points: Sequence[Point], number: int) -> str:
    colour = number % COLOURS + 1
    places = [(frame.across(x), frame.down(y)) for x, y in points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    drawn = f'<polyline class="line c{colour}" points="{path}"/>' if len(places) > 1 else ""
    if len(places) <= FEW_POINTS:
        drawn += "".join(
            f'<circle class="f{colour}" cx="{x:.1f}" cy="{y:.1f}" r="3.5">'
            f"<title>{number_text(point[0])}: {number_text(point[1])}</title></circle>"
            for (x, y), point in zip(places, points, strict=True)
        )
    return drawn


def _reference_lines(frame: _Frame, levels: Mapping[str, Number]) -> str:
    left, right, heights = frame.left, frame.width - frame.right, [frame.down(value) for value in levels.values()]
    return "".join(f'<line class="reference" x1="{left:g}" x2="{right:g}" y1="{y:.1f}" y2="{y:.1f}"/>' for y in heights)


def _reference_names(frame: _Frame, levels: Mapping[str, Number], points: Sequence[Point]) -> str:
    """The names of the reference lines, above them, at the end that is farther from the curves, without overlap."""
    first, last = min(points, default=(0.0, 0.0)), max(points, default=(0.0, 0.0))
    floor = frame.height - frame.bottom - 4
    lowest, drawn = {"start": floor, "end": floor}, ""
    for name, value in sorted(levels.items(), key=lambda item: item[1]):
        anchor = "start" if abs(first[1] - value) >= abs(last[1] - value) else "end"
        x = frame.left + 8 if anchor == "start" else frame.width - frame.right - 8
        y = min(frame.down(value) - 4, lowest[anchor])
        lowest[anchor] = y - TEXT
        label = f"{escape(name)} {number_text(value)}"
        drawn += f'<text class="named" x="{x:g}" y="{y:.1f}" text-anchor="{anchor}">{label}</text>'
    return drawn


def _bar(frame: _Frame, place: float, value: Number, name: str, colour: int) -> str:
    left, right = frame.across(place + 0.08), frame.across(place + 0.92)
    top, bottom = sorted((frame.down(value), frame.down(0.0)))
    return (
        f'<rect class="f{colour}" x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" '
        f'height="{bottom - top:.1f}"><title>{escape(name)}: {number_text(value)}</title></rect>'
    )


def _bar_name(frame: _Frame, x: float, name: str, slanted: bool) -> str:
    if not slanted:
        return f'<text x="{x:.1f}" y="{frame.height - 6:g}" text-anchor="middle">{escape(name)}</text>'
    y = frame.height - frame.bottom + TEXT
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="end" transform="rotate(-40 {x:.1f} {y:.1f})">{escape(name)}</text>'
    )


def _nothing_to_show(frame: _Frame) -> str:
    return f'<text x="{frame.width / 2:g}" y="{frame.height / 2:g}" text-anchor="middle">nothing was recorded</text>'


def _legend(names: Iterable[str]) -> str:
    items = "".join(
        f'<li><svg viewBox="0 0 32 12" aria-hidden="true"><line class="line c{number % COLOURS + 1}" x1="1" x2="31" '
        f'y1="6" y2="6"/></svg>{escape(name)}</li>'
        for number, name in enumerate(names)
    )
    return f'<ul class="legend">{items}</ul>'


def _in_words(lines: Mapping[str, Sequence[Point]], levels: Mapping[str, Number]) -> str:
    """A description of a chart in words, for screen readers."""
    said = [
        f"{name}: from {number_text(line[0][1])} at {number_text(line[0][0])} to {number_text(line[-1][1])} at "
        f"{number_text(line[-1][0])}, lowest {number_text(min(y for _, y in line))}, "
        f"highest {number_text(max(y for _, y in line))}."
        for name, line in lines.items()
        if line
    ]
    said += [f"{name}: {number_text(value)}." for name, value in levels.items()]
    return " ".join(said) or "Nothing was recorded."
