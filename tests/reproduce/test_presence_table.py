"""The table of absent words: a row for every vocabulary, before and after."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from zeroseg.errors import DatasetError
from zeroseg.evaluation.absent_words import MANY, OWN, PRESENT
from zeroseg.reproduce.presence_table import UNMEASURED, presence_records, presence_table


def test_the_table_has_before_and_after(tmp_path: Path) -> None:
    """In the order: labels in the picture, all labels, many words."""
    assert presence_table(presence_records(tmp_path)) == UNMEASURED
    figures = {"miou": 0.5, "false_areas": 1.0, "of_others": 2.0, "missed": 0.25}
    rows = {name: {"keep": figures, "drop": {**figures, "miou": 0.6}} for name in (PRESENT, OWN, MANY)}
    (tmp_path / "presence").mkdir()
    record = {"images": 7, "auroc": 0.91234, "words": 1000, "rows": rows}
    (tmp_path / "presence/msrc21.json").write_text(json.dumps(record))
    lines = presence_table(presence_records(tmp_path)).splitlines()
    assert lines[2] == "| photos, 21 classes, those in the picture | kept | 50.0 | 1.00 | 2.00 | 0.25 |"
    assert lines[3] == "|  | absent ones dropped | 60.0 | 1.00 | 2.00 | 0.25 |"
    assert lines[6].startswith("| photos, 21 classes and 1,000 others | kept |")
    assert lines[-1] == "AUROC of presence: 0.912 on 7 photos, 21 classes."
    (tmp_path / "presence/msrc21.json").write_text("{")
    with pytest.raises(DatasetError, match="damaged"):
        presence_records(tmp_path)
