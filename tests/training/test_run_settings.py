"""The settings of a run: what is said when they are not those that it was started with."""

from __future__ import annotations

from pathlib import Path

import pytest

from zeroseg.errors import TrainingError
from zeroseg.training import run_settings


def test_settings_that_one_side_does_not_name_are_called_so(tmp_path: Path) -> None:
    """A setting with the value of earlier versions is not saved: it is not `None`."""
    run_settings.start(tmp_path, {"student": {"grouping": "light"}, "loop": {"workers": 1, "micro_batches": 1}})

    with pytest.raises(TrainingError, match=r"student\.grouping 'light', now not named"):
        run_settings.expect_same(tmp_path, {"student": {}, "loop": {"workers": 2, "micro_batches": 1}})
