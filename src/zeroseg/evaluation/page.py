"""A result for people: a Markdown table, and one self-contained HTML page with bars, confusions and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from zeroseg import report
from zeroseg.drawing import overlay
from zeroseg.evaluation.background import Sweep
from zeroseg.evaluation.benchmark import Example, Result
from zeroseg.evaluation.metrics import iou_per_class
from zeroseg.report import Cell, Html, Section
from zeroseg.segmentation import Segmentation
from zeroseg.vocabulary import BACKGROUND

IGNORED = "(ignored)"
PAIRS = 12  # of classes that are taken for each other


@dataclass(frozen=True)
class Confusion:
    """Pixels of one class that were taken for another, as a share of all that count."""

    truth: str
    predicted: str
    share: float


def most_confused(result: Result, pairs: int = PAIRS) -> list[Confusion]:
    """The pairs of classes that cost most pixels, the costliest first."""
    wrong = result.confusion.astype(np.float64)
    np.fill_diagonal(wrong, 0)
    places = np.argsort(-wrong, axis=None, kind="stable")[:pairs]
    rows, columns = np.unravel_index(places, wrong.shape)
    return [
        Confusion(result.classes[row], result.classes[column], wrong[row, column] / result.confusion.sum())
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
        if wrong[row, column] > 0
    ]


def figures(result: Result) -> dict[str, str]:
    """The figures that matter most, in words."""
    low, high = result.interval
    return {
        "mIoU": f"{100 * result.miou:.1f}",
        "95 % interval": f"{100 * low:.1f} to {100 * high:.1f}",
        "ceiling": f"{100 * result.oracle_miou:.1f}",
        "images": f"{result.images:,}",
    }


def markdown(result: Result, settings: Mapping[str, Cell]) -> str:
    """The result as Markdown: figures, settings, a table of classes."""
    ious = iou_per_class(result.confusion)
    lines = [f"# {result.dataset}", ""]
    lines += [f"- {name}: {value}" for name, value in {**figures(result), **settings}.items()]
    lines += ["", "| class | IoU, % |", "| --- | ---: |"]
    lines += [f"| {name} | {_percent(iou)} |" for name, iou in zip(result.classes, ious.tolist(), strict=True)]
    return "\n".join(lines) + "\n"


def page(result: Result, settings: Mapping[str, Cell], sweep: Sweep | None = None, footer: str = "") -> str:
    """The result as one HTML page that needs nothing but itself."""
    ious = dict(zip(result.classes, (100 * iou_per_class(result.confusion)).tolist(), strict=True))
    by_iou = dict(sorted(ious.items(), key=lambda item: -np.nan_to_num(item[1], nan=-1)))
    bars = report.bar_chart({name: [iou] for name, iou in by_iou.items()}, "IoU, %", "Classes", wide=True)
    confused = [(pair.truth, pair.predicted, 100 * pair.share) for pair in most_confused(result)]
    sections = [
        Section("Classes", (bars, report.table(("class", "IoU, %"), list(by_iou.items()), "All classes"))),
        Section("What is taken for what", (report.table(("truth", "predicted", "% of the pixels"), confused),)),
    ]
    if sweep is not None:
        points = [(value, 100 * miou) for value, miou in zip(sweep.values, sweep.mious, strict=True)]
        words = f"Over {sweep.threshold.replace('_', ' ')}"
        chart = report.line_chart({"mIoU": points}, sweep.threshold.replace("_", " "), "mIoU, %", words, wide=True)
        sections.append(Section("The background's threshold", (chart,)))
    for title, examples in (("Best pictures", result.best), ("Worst pictures", result.worst)):
        if examples:
            sections.append(Section(title, tuple(_shown(example, result) for example in examples)))
    sections.append(Section("Settings", (report.facts(settings),)))
    title = f"{result.dataset}: mIoU {100 * result.miou:.1f}"
    return report.page(title, sections, [report.chips(figures(result))], footer)


def _shown(example: Example, result: Result) -> Html:
    """Picture, truth and prediction side by side."""
    painted = [
        report.picture(overlay(example.image, _as_segmentation(ids, result.classes)), caption)
        for ids, caption in (
            (example.truth, f"{example.name}: the truth"),
            (example.predicted, f"predicted, mIoU {100 * example.miou:.1f}"),
        )
    ]
    return report.beside(painted)


def _as_segmentation(ids: np.ndarray, classes: Sequence[str]) -> Segmentation:
    """Class ids for an overlay; what counts for nothing has a label of its own."""
    labels, ids = (*classes, IGNORED), np.minimum(ids.astype(np.uint16), len(classes))
    scores = np.isin(np.arange(len(labels)), ids).astype(np.float32)
    return Segmentation(labels, ids, scores, has_background=classes[0] == BACKGROUND)


def _percent(value: float) -> str:
    return "-" if np.isnan(value) else f"{100 * value:.1f}"
