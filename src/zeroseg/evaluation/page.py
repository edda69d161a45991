"""The report of a result: a Markdown table, and one self-contained HTML page with bars, confusions and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zeroseg import report
from zeroseg.drawing import overlay, overlay_palette
from zeroseg.drawing.palettes import OVERLAY_COLOURS, RGB
from zeroseg.evaluation.benchmark import Example, Result
from zeroseg.evaluation.metrics import iou_per_class
from zeroseg.evaluation.record import EvaluationRecord
from zeroseg.evaluation.thresholds import Sweep
from zeroseg.report import Html, Section
from zeroseg.segmentation import Segmentation
from zeroseg.vocabulary import BACKGROUND

IGNORED = "(ignored)"
IN_A_CHART = 40  # classes
PAIRS = 12  # pairs of classes that are confused most often


@dataclass(frozen=True)
class Confusion:
    """Pixels of one class that were predicted as another, as a fraction (0..1) of all pixels that are not ignored."""

    truth: str
    predicted: str
    fraction: float


def most_confused(result: Result, pairs: int = PAIRS) -> list[Confusion]:
    """The pairs of classes with most confused pixels, largest first."""
    wrong = result.confusion.astype(np.float64)
    np.fill_diagonal(wrong, 0)
    places = np.argsort(-wrong, axis=None, kind="stable")[:pairs]
    rows, columns = np.unravel_index(places, wrong.shape)
    return [
        Confusion(result.classes[row], result.classes[column], wrong[row, column] / result.confusion.sum())
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
        if wrong[row, column] > 0
    ]


def figures(record: EvaluationRecord) -> dict[str, str]:
    """The figures that matter most, in words."""
    result, (low, high) = record.result, record.result.interval
    found = {
        "mIoU": f"{100 * result.miou:.1f}",
        "95 % interval": f"{100 * low:.1f} to {100 * high:.1f}",
        "upper bound by region": f"{100 * result.upper_bound_miou:.1f}",
        "images": f"{result.images:,}",
    }
    if record.tuned is not None:
        found["mIoU with a tuned margin"] = f"{100 * record.tuned.miou:.1f}"
    if record.sweep is not None:
        found[f"mIoU at the best {_threshold(record.sweep)}"] = f"{100 * max(record.sweep.mious):.1f}"
    if record.shortfall:
        found["shortfall"] = record.shortfall
    return found


def _threshold(swept: Sweep) -> str:
    return swept.threshold.replace("_", " ")


def markdown(record: EvaluationRecord) -> str:
    """The result as Markdown: figures, settings, a table of classes, and one of thresholds if they were swept."""
    result = record.result
    ious = iou_per_class(result.confusion)
    lines = [f"# {result.dataset}", ""]
    lines += [f"- {name}: {value}" for name, value in {**figures(record), **record.in_words()}.items()]
    lines += ["", "| class | IoU, % |", "| --- | ---: |"]
    lines += [f"| {name} | {_percent(iou)} |" for name, iou in zip(result.classes, ious.tolist(), strict=True)]
    if record.sweep is not None:
        swept = record.sweep
        lines += ["", f"| {_threshold(swept)} | mIoU, % |", "| ---: | ---: |"]
        lines += [f"| {value:g} | {_percent(miou)} |" for value, miou in zip(swept.values, swept.mious, strict=True)]
    return "\n".join(lines) + "\n"


def page(record: EvaluationRecord, footer: str = "") -> str:
    """The result as one self-contained HTML page."""
    result = record.result
    ious = dict(zip(result.classes, (100 * iou_per_class(result.confusion)).tolist(), strict=True))
    by_iou = sorted(ious.items(), key=lambda item: -np.nan_to_num(item[1], nan=-1))
    parts = [by_iou[first : first + IN_A_CHART] for first in range(0, len(by_iou), IN_A_CHART)]
    bars = [
        report.bar_chart({name: [iou] for name, iou in part}, "IoU, %", _classes(number, len(parts)), wide=True)
        for number, part in enumerate(parts)
    ]
    confused = [(pair.truth, pair.predicted, 100 * pair.fraction) for pair in most_confused(result)]
    sections = [
        Section("Classes", (*bars, report.table(("class", "IoU, %"), by_iou, "All classes"))),
        Section("Confusions", (report.table(("truth", "predicted", "% of the pixels"), confused),)),
    ]
    if record.sweep is not None:
        sections.append(Section("The background's threshold", (_curve(record, record.sweep),)))
    for title, examples in (("Best pictures", result.best), ("Worst pictures", result.worst)):
        if examples:
            sections.append(Section(title, tuple(_shown(example, result) for example in examples)))
    sections.append(Section("Settings", (report.facts(record.in_words()),)))
    title = f"{result.dataset}: mIoU {100 * result.miou:.1f}"
    return report.page(title, sections, [report.chips(figures(record))], footer)


def _classes(number: int, parts: int) -> str:
    return "Classes" if parts == 1 else f"Classes, part {number + 1} of {parts}"


def _curve(record: EvaluationRecord, swept: Sweep) -> Html:
    """mIoU over the thresholds, with the one that was used, and the one that was tuned on masks."""
    points = [(value, 100 * miou) for value, miou in zip(swept.values, swept.mious, strict=True)]
    threshold, result = _threshold(swept), record.result
    lines = {"mIoU": points, "as measured": [(result.read_out.background.threshold, 100 * result.miou)]}
    if record.tuned is not None:
        lines["tuned on masks"] = [(record.tuned.margin, 100 * record.tuned.miou)]
    return report.line_chart(lines, threshold, "mIoU, %", f"Over {threshold}", wide=True)


def _shown(example: Example, result: Result) -> Html:
    """Truth and prediction side by side; a class has the same colour in both."""
    colours = _colours(example, result.classes) if len(result.classes) > OVERLAY_COLOURS else None
    painted = [
        report.picture(overlay(example.image, _as_segmentation(ids, result.classes), colours=colours), caption)
        for ids, caption in (
            (example.truth, f"{example.name}: the truth"),
            (example.predicted, f"predicted, mIoU {100 * example.miou:.1f}"),
        )
    ]
    return report.beside(painted)


def _colours(example: Example, classes: Sequence[str]) -> dict[str, RGB]:
    """One colour for each class of an example, for both pictures: with many classes, two would have the same colour."""
    seen: list[int] = np.union1d(example.truth, example.predicted).tolist()
    names = [classes[number] for number in seen if number < len(classes) and classes[number] != BACKGROUND]
    return dict(zip(names, overlay_palette(len(names)), strict=True))


def _as_segmentation(ids: np.ndarray, classes: Sequence[str]) -> Segmentation:
    """Class ids for an overlay; ignored pixels have a label of their own."""
    labels, ids = (*classes, IGNORED), np.minimum(ids, len(classes))
    scores = np.isin(np.arange(len(labels)), ids).astype(np.float32)
    return Segmentation(labels, ids, scores, has_background=classes[0] == BACKGROUND)


def _percent(value: float) -> str:
    return "-" if np.isnan(value) else f"{100 * value:.1f}"
