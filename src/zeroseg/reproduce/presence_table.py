"""The table of the chapter "Absent words", written only from the records of `scripts/absent_words.py`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zeroseg.errors import DatasetError
from zeroseg.evaluation.absent_words import MANY, OWN, PRESENT
from zeroseg.experiments.tables import table

FOLDER = "presence"
KINDS = {"msrc21": "photos, 21 classes", "picturebook-voc": "drawings, 20 nouns"}
UNMEASURED = "(Not measured yet.)"
HEADS = ("", "labels", "mIoU", "false areas", "areas of other words", "missed classes")

Measured = Mapping[str, Mapping[str, Any]]


def presence_records(records: Path) -> dict[str, dict[str, Any]]:
    """The figures of each data set that was measured. Raises `DatasetError` for a damaged record."""
    found: dict[str, dict[str, Any]] = {}
    for name in KINDS:
        path = records / FOLDER / f"{name}.json"
        if path.exists():
            try:
                found[name] = json.loads(path.read_text(encoding="utf-8"))
            except ValueError as error:
                raise DatasetError(f"{path} is damaged ({error}): measure again.") from error
    return found


def presence_table(found: Measured) -> str:
    """Before and after: mIoU in per cent, areas and classes a picture; then the AUROC of presence."""
    if not found:
        return UNMEASURED
    rows: list[list[str]] = []
    for name, values in found.items():
        for vocabulary in (PRESENT, OWN, MANY):
            before, after = (values["rows"][vocabulary][kind] for kind in ("keep", "drop"))
            said = f"{KINDS[name]} and {values['words']:,} others" if vocabulary == MANY else KINDS[name]
            title = f"{said}, those in the picture" if vocabulary == PRESENT else said
            for kind, figures in (("kept", before), ("absent ones dropped", after)):
                each = [f"{figures[key]:.2f}" for key in ("false_areas", "of_others", "missed")]
                rows.append([title if kind == "kept" else "", kind, f"{100 * figures['miou']:.1f}", *each])
    sure = ", ".join(f"{values['auroc']:.3f} on {values['images']} {KINDS[name]}" for name, values in found.items())
    return f"{table(HEADS, rows, words=2)}\n\nAUROC of presence: {sure}."
