"""An experiment's curves as an SVG file: one panel for each group of variants; all panels show the base."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Literal

from zeroseg.experiments.design import Experiment, Variant
from zeroseg.experiments.records import Record
from zeroseg.experiments.tables import Found
from zeroseg.report import Point
from zeroseg.report.panels import Panel, panels_svg


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
    panels = [_panel(title, (experiment.base, *group), found, measure) for title, group in experiment.groups.items()]
    heading = f"{measure.title}: {measure.label}, over the samples seen"
    return panels_svg(f"{measure.title}, experiment {experiment.name}", heading, panels)


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


def _panel(title: str, variants: Sequence[Variant], found: Found, measure: Measure) -> Panel:
    """A group of variants."""
    names = [variant.name if found[variant.name] else f"{variant.name} (not run)" for variant in variants]
    curves = [mean_curve(found[variant.name], measure) for variant in variants]
    return Panel(title, dict(zip(names, curves, strict=True)), "samples", measure.label)
