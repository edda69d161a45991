"""Charts of a training run's log: the curve, the losses, the diagnostics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from zeroseg import report
from zeroseg.report import Html
from zeroseg.views import ViewsConfig, grid_boxes

RECENT = 20  # records of the log in the last chart


def learning_curve(log: Sequence[Mapping[str, Any]], references: Mapping[str, float]) -> Html:
    """Held-out mIoU over the steps, with `references` as horizontal lines; all in per cent."""
    curve = [(step, 100 * value) for step, value in points(log, "miou")]
    return report.line_chart({"student": curve}, "steps", "mIoU in %", "Held-out mIoU", references, wide=True)


def losses(log: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Html:
    """The named losses over the steps."""
    lines = {name.replace("_", "-"): points(log, name) for name in names}
    return report.line_chart(lines, "steps", "mean L1, before weights", "Losses")


def diagnostics(log: Sequence[Mapping[str, Any]]) -> list[Html]:
    """One chart for each diagnostic; they show a collapse."""
    charts = {
        "token_cosine": ("Are a picture's tokens different?", "mean cosine between them"),
        "segments_in_use": ("Segments in use", "segments a picture that win a patch"),
        "assignment_entropy": ("How undecided are the masks?", "entropy, as a fraction of the largest"),
        "views_chosen": ("Different nearest views", "views a picture"),
        "gradient_norm": ("Length of the gradient", "norm, before it is cut"),
    }
    return [
        report.line_chart({label: points(log, key)}, "steps", label, title) for key, (title, label) in charts.items()
    ]


def nearest_views(log: Sequence[Mapping[str, Any]], views: ViewsConfig) -> Html:
    """How often each local view was the nearest one in the last records, as a chart."""
    return report.bar_chart(
        nearest_by_grid(log, views),
        f"tokens, in the last {min(RECENT, len(points(log, 'loss')))} records",
        "Which view is nearest to a token?",
        "grid of the view",
        wide=True,
    )


def points(log: Sequence[Mapping[str, Any]], key: str) -> list[report.Point]:
    """(steps done, value) of every record that has `key`."""
    return [(float(row["step"] + 1), float(row[key])) for row in log if key in row]


def nearest_by_grid(log: Sequence[Mapping[str, Any]], views: ViewsConfig) -> dict[str, list[float]]:
    """How often each local view was the nearest one to a token in the last records, by its grid."""
    records = [row["nearest"] for row in log if "nearest" in row][-RECENT:]
    grids = [n for n in views.grids for _ in grid_boxes(views.side, n, views.overlapping)]
    local = [n for n, is_local in zip(grids, views.is_local(), strict=True) if is_local]
    totals = [float(sum(counts)) for counts in zip(*records, strict=True)] or [0.0] * len(local)
    by_grid: dict[str, list[float]] = {}
    for n, total in zip(local, totals, strict=True):
        by_grid.setdefault(f"{n} x {n}", []).append(total)
    return by_grid
