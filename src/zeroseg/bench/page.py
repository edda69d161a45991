"""The figures as a table, as JSON, and as a page with a plot."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from zeroseg.bench.measuring import Figure
from zeroseg.bench.setting import Setting
from zeroseg.files import write_text_atomically
from zeroseg.report.panels import Panel, panels_svg
from zeroseg.training.costs import GPUS
from zeroseg.versions import versions

HEADERS = ("part", "what", "seconds", "GFLOP/s", "beside", "seconds", "ratio", "target", "met")
INTRODUCTION = Path(__file__).with_name("introduction.md")
PLOT = "images/performance.svg"
CURVES = (
    ("name", "A further vocabulary for an encoded photo", "labels"),
    ("sizes", "A photo with 20 labels, refined", "megapixels"),
)
MARKS = {True: "yes", False: "**no**", None: ""}


def facts_of(setting: Setting) -> dict[str, str]:
    """The machine and the setting, in words."""
    device = torch.cuda.get_device_name(setting.on) if setting.on.type == "cuda" else _processor()
    return {
        "machine": f"{device}, {torch.get_num_threads()} threads",
        "photo": f"shorter side {setting.side} pixels",
        "rounds": str(setting.rounds),
        **{name: str(version) for name, version in versions().items()},
    }


def row(figure: Figure) -> tuple[str, ...]:
    """A figure as the cells of `HEADERS`."""
    target = f"&le; {figure.most:.2f}" if figure.most is not None else ""
    if figure.within is not None:
        target = f"&le; {figure.within:g} s"
    spread = f"{figure.ratio:.3f} ({figure.low:.3f} to {figure.high:.3f})"
    return (
        figure.part, figure.what, _seconds(figure.seconds), _rate(figure), figure.floor_is,
        _seconds(figure.floor_seconds), spread, target, MARKS[figure.is_met],
    )  # fmt: skip


def markdown(figures: Sequence[Figure], facts: Mapping[str, str]) -> str:
    """The figures as a table of Markdown."""
    lines = [f"| {' | '.join(HEADERS)} |", "|---|---|--:|--:|---|--:|--:|--:|---|"]
    lines += [f"| {' | '.join(row(figure))} |" for figure in figures]
    said = "; ".join(f"{name} {value}" for name, value in facts.items())
    return "\n".join(lines) + f"\n\n{said}.\n"


def write_page(path: Path, figures: Sequence[Figure], facts: Mapping[str, str]) -> None:
    """A page of Markdown, and its plot in images/ beside it. Raises `OutputError`."""
    text = INTRODUCTION.read_text(encoding="utf-8") + "\n" + markdown(figures, facts)
    if any(figure.curve for figure in figures):
        write_text_atomically(path.parent / PLOT, plot(figures))
        text += f"\n![Seconds over labels and over pixels]({PLOT})\n"
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
            lines.setdefault(name, []).append((place, figure.seconds))
    return lines


def write_json(path: Path, figures: Sequence[Figure], facts: Mapping[str, str]) -> None:
    """The figures for programs. Raises `OutputError`."""
    values = {"facts": dict(facts), "figures": [figure.as_json() for figure in figures]}
    write_text_atomically(path, json.dumps(values, indent=1) + "\n")


def _rate(figure: Figure) -> str:
    """Operations a second; on a GPU whose peak is known, also the fraction of it."""
    if not figure.flops:
        return ""
    rate = figure.flops / figure.seconds
    name = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    peaks = [gpu.tflops * 1e12 for gpu in GPUS if gpu.name.split(" (")[0].split(" SXM")[0] in name]
    return f"{rate / 1e9:,.0f}" + (f" ({rate / peaks[0]:.0%} of the peak)" if peaks else "")


def _seconds(value: float) -> str:
    return f"{1e3 * value:.1f} ms" if value < 1 else f"{value:.2f} s"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
