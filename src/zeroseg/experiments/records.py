"""Records of runs: a small JSON file for each run, with settings, curve and metrics, but without weights."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from zeroseg.errors import DatasetError
from zeroseg.files import write_text_atomically
from zeroseg.student.config import plain_settings
from zeroseg.training.distillation import DistillConfig
from zeroseg.training.run_settings import FREE_TO_CHANGE

Values = dict[str, Any]
Curve = dict[str, dict[str, list[Any]]]  # "training" or "validation" -> metric -> its values, None if there is none
Metrics = dict[str, Any]  # numbers from 0 to 1, None if there is none; "iou": those of the classes
Scores = dict[str, dict[str, dict[str, Metrics]]]  # split -> data set -> reading

RENAMED_VARIANTS = {"oracle": "true-regions"}
RENAMED = {"oracle_miou": "upper_bound_miou"}  # metrics in records and logs of older versions
WATCHING = ("evaluate_every", "patience", *FREE_TO_CHANGE)  # not in the student


@dataclass(frozen=True)
class Record:
    """A run. `settings` are all settings that the metrics depend on (see `settings_of`); times are of training only.

    Variants without training have no samples, no rate and no curve.
    """

    experiment: str
    variant: str
    seed: int
    settings: Values
    samples: int
    minutes: float
    images_per_second: float | None
    versions: dict[str, str]
    curve: Curve
    scores: Scores

    @property
    def name(self) -> str:
        """The name of the record's file."""
        return f"{self.variant}-{self.seed}.json"

    def write(self, folder: Path) -> None:
        """Write the record below the folder of all experiments' records. Raises `OutputError`."""
        path = record_path(folder, self.experiment, self.variant, self.seed)
        write_text_atomically(path, _laid_out(asdict(self)) + "\n")


def record_path(folder: Path, experiment: str, variant: str, seed: int) -> Path:
    """The path of a run's record, below the folder of all experiments' records."""
    return folder / experiment / f"{variant}-{seed}.json"


def read_record(path: Path) -> Record:
    """A record from its file. Raises `DatasetError` for a file that is not a record, or the record of another run."""
    try:
        record = Record(**with_new_names(json.loads(path.read_text(encoding="utf-8"))))
    except (OSError, ValueError, TypeError) as error:
        raise DatasetError(f"the record {path} cannot be read: delete it, and run the experiment again.") from error
    if (record.experiment, record.name) != (path.parent.name, path.name):
        raise DatasetError(f"the record {path} is that of another run: delete it, and run the experiment again.")
    return replace(record, variant=RENAMED_VARIANTS.get(record.variant, record.variant))


def find_record(folder: Path, experiment: str, variant: str, seed: int) -> Record | None:
    """The record of a run, also one with the variant's former name; None if there is none. Raises `DatasetError`."""
    names = [variant, *(old for old, new in RENAMED_VARIANTS.items() if new == variant)]
    paths = [record_path(folder, experiment, name, seed) for name in names]
    return next((read_record(path) for path in paths if path.exists()), None)


def with_new_names(value: Any) -> Any:
    """Values from a record or log, in which former names of metrics are replaced by the current ones."""
    if isinstance(value, dict):
        return {RENAMED.get(key, key): with_new_names(inner) for key, inner in value.items()}
    return value


def read_records(folder: Path, experiment: str) -> list[Record]:
    """All records of an experiment, by variant and seed. Raises `DatasetError`."""
    records = map(read_record, (folder / experiment).glob("*.json"))
    return sorted(records, key=lambda record: (record.variant, record.seed))


def settings_of(config: DistillConfig, teacher: str, images: int, scenes: Mapping[str, int]) -> Values:
    """The settings that a run's metrics depend on, as JSON values: config, teacher's fingerprint, images, test scenes.

    Left out are the path of the teacher, the intervals of logging, and workers and micro-batches.
    """
    values: Values = json.loads(json.dumps(plain_settings(config)))
    del values["student"]["teacher"]
    for name in WATCHING:
        del values["loop"][name]
    return {"distill": values, "teacher": teacher, "images": images, "scenes": dict(scenes)}


def same_settings(one: Values, other: Values) -> bool:
    """Whether two runs have the same settings; a setting that one of them does not have is at its default there.

    So records stay valid if the config gets a new option.
    """
    return beside_defaults(one) == beside_defaults(other)


def beside_defaults(settings: Values) -> Values:
    """The settings that are not at their defaults; they do not change if the config gets a new option."""
    return _beside(settings_of(DistillConfig(), "", 0, {}), settings)


def without_seed(settings: Values) -> Values:
    """Settings with all seeds set to 0, to compare the runs of a variant."""
    distill = settings["distill"]
    return {**settings, "distill": {**distill, "loop": {**distill["loop"], "seed": 0}}}


def _beside(default: Values, given: Values) -> Values:
    """`given` without the values that are equal to those in `default`."""
    nested = {key for key, value in given.items() if isinstance(value, dict) and isinstance(default.get(key), dict)}
    plain = {k: value for k, value in given.items() if k not in nested and (k not in default or value != default[k])}
    inner = {key: _beside(default[key], given[key]) for key in nested}
    return plain | {key: changed for key, changed in inner.items() if changed}


def short(value: float) -> float | None:
    """A number rounded to four digits; None if it is not finite."""
    return float(f"{value:.4g}") if math.isfinite(value) else None


def _laid_out(value: Any, indent: str = "") -> str:
    """JSON with one line for every list and every dictionary of plain values: small, and easy to compare in git."""
    if not isinstance(value, dict) or not any(isinstance(inner, dict | list) for inner in value.values()):
        return json.dumps(value, allow_nan=False)
    inside = indent + " "
    lines = [f"{inside}{json.dumps(key)}: {_laid_out(inner, inside)}" for key, inner in value.items()]
    return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
