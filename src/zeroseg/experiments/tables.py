"""An experiment's tables in Markdown: mean and standard deviation over the seeds, "-" without a record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import mean, stdev

from zeroseg.experiments.design import Column, Experiment
from zeroseg.experiments.records import Record

NOTHING = "-"
Found = Mapping[str, Sequence[Record]]  # the records of every variant, none for some

DIAGNOSTICS = {
    "token cosine": "token_cosine",
    "segments in use": "segments_in_use",
    "assignment entropy": "assignment_entropy",
    "different nearest views": "views_chosen",
    "fraction of the commonest": "nearest_share",
}


def results_table(experiment: Experiment, found: Found) -> str:
    """Held-out mIoU in per cent, one row for each variant. Columns with refinement are shown if the recipe refines."""
    columns = experiment.columns_of(experiment.recipe().student.read_out.refinement > 0)
    rows: list[list[str]] = []
    for variant in experiment.variants:
        records = found[variant.name]
        cells = [spread([percent(record, column) for record in records]) for column in columns]
        rows.append([f"`{variant.name}`", variant.words, *cells, f"{len(records)}"])
    return table(["variant", "what is changed", *(column.title for column in columns), "seeds"], rows, words=2)


def training_table(experiment: Experiment, found: Found) -> str:
    """The cost of training, and the diagnostics at its end."""
    rows: list[list[str]] = []
    for variant in experiment.variants:
        records = found[variant.name]
        samples = f"{records[0].samples:,}" if records else NOTHING
        minutes = spread([record.minutes for record in records])
        rate = spread([record.images_per_second for record in records], 0)
        cells = [spread([_last(record, name) for record in records], 2) for name in DIAGNOSTICS.values()]
        rows.append([f"`{variant.name}`", samples, minutes, rate, *cells])
    return table(["variant", "samples", "minutes", "images/s", *DIAGNOSTICS], rows, words=1)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], words: int) -> str:
    """A table; the first `words` columns are words, the others numbers."""
    lines = [heads, ["---"] * words + ["---:"] * (len(heads) - words), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def spread(values: Sequence[float | None], decimals: int = 1) -> str:
    """Mean and standard deviation. A single value has no deviation; if a value is missing, there is no mean."""
    numbers = [value for value in values if value is not None]
    if not numbers or len(numbers) < len(values):
        return NOTHING
    middle = f"{mean(numbers):,.{decimals}f}"
    return middle if len(numbers) == 1 else f"{middle} ± {stdev(numbers):,.{decimals}f}"


def percent(record: Record, column: Column) -> float | None:
    """A record's metric in a column, per cent; None if it has none."""
    readings = record.scores.get("held-out", {}).get(column.dataset, {})
    value = readings.get(column.name, {}).get(column.figure)
    return None if value is None else 100 * value


def _last(record: Record, name: str) -> float | None:
    values = record.curve["training"].get(name, [])
    return values[-1] if values else None
