"""A run's log as a curve of a few points, and how long it trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from zeroseg.experiments.design import TRAINING_POINTS, VALIDATION_POINTS
from zeroseg.experiments.records import Curve, short, with_new_names

Row = Mapping[str, Any]

LEFT_OUT = {"step", "time", "images_per_second", "nearest"}


def curve_of(log: Sequence[Row]) -> Curve:
    """Losses and diagnostics under "training", mIoU under "validation"; `step` counts the steps done.

    `nearest_share` is the fraction of a batch's segment tokens whose nearest view is the most frequent nearest view.
    """
    log = [with_new_names(row) for row in log]
    trained = [_with_nearest_share(row) for row in log if "loss" in row]
    evaluated = [row for row in log if "miou" in row]
    return {
        "training": _columns(thinned(trained, TRAINING_POINTS)),
        "validation": _columns(thinned(evaluated, VALIDATION_POINTS)),
    }


def thinned(rows: Sequence[Row], most: int) -> list[Row]:
    """At most `most` of the rows, evenly spaced, with the first and the last."""
    if len(rows) <= most:
        return list(rows)
    return [rows[round(place * (len(rows) - 1) / (most - 1))] for place in range(most)]


def seconds_trained(log: Sequence[Row], batch_size: int) -> float:
    """Seconds of training steps, without evaluations, over all sessions of the run."""
    seconds, done = 0.0, 0
    for row in log:
        if "loss" in row:
            seconds += (row["step"] + 1 - done) * batch_size / max(row["images_per_second"], 0.1)
            done = row["step"] + 1
    return seconds


def _columns(rows: Sequence[Row]) -> dict[str, list[Any]]:
    names = dict.fromkeys(name for row in rows for name in row if name not in LEFT_OUT)
    figures = {name: [_figure(row.get(name)) for row in rows] for name in names}
    return {"step": [row["step"] + 1 for row in rows]} | figures


def _figure(value: float | None) -> float | None:
    return None if value is None else short(value)


def _with_nearest_share(row: Row) -> Row:
    nearest = row.get("nearest")
    return row if not nearest else {**row, "nearest_share": max(nearest) / max(1, sum(nearest))}
