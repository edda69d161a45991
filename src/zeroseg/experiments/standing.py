"""The records that stand in a folder already: runs that could not be on one page with them are refused beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zeroseg.errors import DatasetError
from zeroseg.experiments.design import ROUNDING
from zeroseg.experiments.records import Record, Values, beside_defaults, read_records, without_seed
from zeroseg.experiments.running import Run

NAMED = 3  # differences that an error names


def expect_room(runs: Sequence[Run], folder: Path) -> None:
    """Raise `DatasetError` if a record in the folder was made under other settings than these runs of an experiment.

    Records of the same variant have to agree in all but their seeds, those of other variants in all but their configs,
    and in the length of the runs.
    """
    if not runs:
        return
    experiment, planned = runs[0].experiment, {run.variant.name: run for run in runs}
    variants = {variant.name for variant in experiment.variants}
    for record in read_records(folder, experiment.name):
        if record.variant not in variants:
            continue
        run = planned.get(record.variant)
        found = _differences(record.settings, run.settings) if run else _differences_beside(record, runs)
        if found:
            more = f", and {len(found) - NAMED} more" if len(found) > NAMED else ""
            path = folder / experiment.name / record.name
            raise DatasetError(
                f"the record {str(path)!r} was made under other settings ({'; '.join(found[:NAMED])}{more}), so "
                "nothing was run: name other folders with --records and --pages, or move that record away."
            )


def _differences_beside(record: Record, runs: Sequence[Run]) -> list[str]:
    """How a record differs from runs of other variants."""
    alike = {"distill": runs[0].settings["distill"], "learns_from": ""}
    found = _differences({**record.settings, **alike}, {**runs[0].settings, **alike})
    trained = next((run for run in runs if run.variant.ready is None), None)
    if found or trained is None or not record.samples:
        return found
    experiment = trained.experiment
    theirs, ours = (
        experiment.length(record.variant, record.samples),
        experiment.length(trained.variant.name, trained.config.loop.steps * trained.config.loop.batch_size),
    )
    if min(theirs, ours) < (1 - ROUNDING) * max(theirs, ours):
        return [f"{theirs:.2g} of the recipe's steps there, {ours:.2g} here"]
    return []


def _differences(theirs: Values, ours: Values) -> list[str]:
    """The settings that differ, without seeds, in words; a setting that is not there is at its default."""
    one, other = (_flat(beside_defaults(without_seed(its))) for its in (theirs, ours))
    names = [name for name in one | other if one.get(name) != other.get(name)]
    return [f"{name} {_said(one, name)} there, {_said(other, name)} here" for name in names]


def _said(values: Values, name: str) -> str:
    return repr(values[name]) if name in values else "by default"


def _flat(values: Values, place: str = "") -> dict[str, Any]:
    """Nested settings under one name each, such as `distill.loop.steps`."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= _flat(value, f"{place}{name}.") if isinstance(value, dict) else {place + name: value}
    return flat
