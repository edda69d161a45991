"""The work for tables: their rows, their test sets, and the speed of training steps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zeroseg.evaluation import Counting
from zeroseg.experiments import ExperimentContext, plan
from zeroseg.reproduce.paper_table import Scale
from zeroseg.reproduce.speed import WARM_UP, measure_speed, read_speed, speed_path


def rows_of(scale: Scale, tables: Iterable[str]) -> list[str]:
    """The rows of tables, each once, in the order of the scale."""
    chosen = {row for name in tables for row in scale.rows_of(name)}
    return [variant.name for variant in scale.rows.variants if variant.name in chosen]


def rows_to_measure(scale: Scale, tables: Sequence[str], images: int) -> tuple[list[str], list[str]]:
    """The rows whose figures are in the tables, and those that are left out because they need more images."""
    rows = rows_of(scale, [name for name in tables if name not in scale.shown])
    beyond = [row for row in rows if row in scale.beyond and images <= scale.images]
    return [row for row in rows if row not in beyond], beyond


def expect_test_sets(scale: Scale, context: ExperimentContext) -> None:
    """Raise `DatasetError` for a data set that is missing, before anything is trained."""
    for dataset in scale.rows.datasets:
        context.sets.open(dataset, "held-out")


def measure_missing_speed(
    scale: Scale, context: ExperimentContext, tables: Sequence[str], steps: int | None, rounds: int, counting: Counting
) -> None:
    """Time the training steps of rows in tables with speed-ups, unless they were timed in at least `rounds` rounds."""
    rows = [row for table in scale.tables if table.speed_up and table.name in tables for row in table.rows]
    path = speed_path(context.records, scale.rows.name)
    known = read_speed(path)
    if not rows or (known is not None and known.covers(rows, rounds)):
        return
    runs = plan(scale.rows, context, 1, steps, rows)
    with counting("speed", len(runs) * (WARM_UP + rounds), "steps") as progress:
        measure_speed(runs, context, rounds, progress).write(path)
