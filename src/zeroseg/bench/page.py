"""The figures as a table, as JSON, and as a page with a plot."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from zeroseg.bench.measuring import Figure, Unit
from zeroseg.bench.setting import Setting
from zeroseg.bench.targets import TARGETS
from zeroseg.files import write_text_atomically
from zeroseg.report.panels import Panel, panels_svg
from zeroseg.training.costs import GPUS
from zeroseg.versions import versions

HEADERS = ("part", "what", "takes", "GFLOP/s", "beside", "takes", "ratio", "target", "met")
TARGET_HEADERS = ("target", "measured", "figure", "met")
INTRODUCTION = Path(__file__).with_name("introduction.md")
PLOT = "images/performance.svg"
CURVES = (
    ("name", "A further vocabulary, over its labels", "labels"),
    ("sizes", "A photo with 20 labels, refined, over megapixels", "megapixels"),
)
MARKS = {True: "yes", False: "**no**", None: ""}


def facts_of(setting: Setting) -> dict[str, str]:
    """The machine and the setting, in words."""
    device = torch.cuda.get_device_name(setting.on) if setting.on.type == "cuda" else _processor()
    return {
        "machine": f"{device}, {torch.get_num_threads()} threads",
        "photo": f"shorter side {setting.side} pixels",
        "rounds": f"{setting.rounds}, fewer where they would take longer than {setting.seconds:g} s",
        **{name: str(version) for name, version in versions().items()},
    }


def row(figure: Figure) -> tuple[str, ...]:
    """A figure as the cells of `HEADERS`."""
    goal, target = figure.target, ""
    if goal is not None:
        target = f"&le; {goal.most:.2f}" if goal.within is None else f"&le; {goal.within:g} s"
    return (
        figure.part, figure.what, _amount(figure.amount, figure.unit), _rate(figure), figure.floor_is,
        _amount(figure.floor_amount, figure.unit), _spread(figure), target, MARKS[figure.is_met],
    )  # fmt: skip


def markdown(figures: Sequence[Figure], facts: Mapping[str, str]) -> str:
    """The figures as a table of Markdown."""
    lines = [_line(HEADERS), "|---|---|--:|--:|---|--:|--:|--:|---|", *(_line(row(figure)) for figure in figures)]
    said = "; ".join(f"{name} {value}" for name, value in facts.items())
    return "\n".join(lines) + f"\n\n{said}.\n"


def targets_table(figures: Sequence[Figure]) -> str:
    """Every target with its figures, whether they meet it, and below, why some do not."""
    lines, missed = [_line(TARGET_HEADERS), "|---|---|--:|---|"], dict[str, list[str]]()
    for target in TARGETS:
        of_it = [figure for figure in figures if figure.target == target]
        if not of_it:
            lines.append(_line((target.words, "(not measured)", "", "")))
        for figure in of_it:
            value = _spread(figure) if target.within is None else _amount(figure.amount, figure.unit)
            lines.append(_line((target.words, figure.what, value, MARKS[figure.is_met])))
            if not figure.is_met:
                missed.setdefault(target.missed or "The reason is not known.", []).append(figure.what)
    reasons = [f"- {'; '.join(f'*{what}*' for what in whats)}: {why}" for why, whats in missed.items()]
    return "\n".join([*lines, *(["", "Not met:", "", *reasons] if reasons else [])]) + "\n"


def write_page(path: Path, figures: Sequence[Figure], facts: Mapping[str, str]) -> None:
    """A page of Markdown, and its plot in images/ beside it. Raises `OutputError`."""
    text = f"{INTRODUCTION.read_text(encoding='utf-8')}\n## Targets\n\n{targets_table(figures)}\n"
    if any(figure.curve for figure in figures):
        write_text_atomically(path.parent / PLOT, plot(figures))
        text += f"## Labels and pixels\n\n![Seconds over labels and over pixels]({PLOT})\n\n"
    text += f"## All figures\n\n{markdown(figures, facts)}"
    write_text_atomically(path, text)


def plot(figures: Sequence[Figure]) -> str:
    """Seconds over the number of labels, and over the pixels of the photo, as the text of an SVG file."""
    panels = [
        Panel(title, curves, x_label, "seconds")
        for part, title, x_label in CURVES
        if (curves := _curves(figures, part))
    ]
    return panels_svg("Performance", "Seconds of one photo", panels)


def _curves(figures: Sequence[Figure], part: str) -> dict[str, list[tuple[float, float]]]:
    lines = dict[str, list[tuple[float, float]]]()
    for figure in figures:
        if figure.part == part and figure.curve is not None:
            name, place = figure.curve
            lines.setdefault(name, []).append((place, figure.amount))
    return lines


def write_json(path: Path, figures: Sequence[Figure], facts: Mapping[str, str]) -> None:
    """The figures for programs. Raises `OutputError`."""
    values = {"facts": dict(facts), "figures": [figure.as_json() for figure in figures]}
    write_text_atomically(path, json.dumps(values, indent=1) + "\n")


def _rate(figure: Figure) -> str:
    """Operations a second; on a GPU whose peak is known, also the fraction of it."""
    if not figure.flops:
        return ""
    rate = figure.flops / figure.amount
    name = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    peaks = [gpu.tflops * 1e12 for gpu in GPUS if gpu.name.split(" (")[0].split(" SXM")[0] in name]
    return f"{rate / 1e9:,.0f}" + (f" ({rate / peaks[0]:.0%} of the peak)" if peaks else "")


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _spread(figure: Figure) -> str:
    return f"{figure.ratio:.3f} ({figure.low:.3f} to {figure.high:.3f})"


def _amount(value: float, unit: Unit) -> str:
    if unit == "MB":
        return f"{value:,.0f} MB"
    return f"{1e3 * value:.1f} ms" if value < 1 else f"{value:.2f} s"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
