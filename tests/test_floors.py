"""The floors of docs/architecture.md: imports go down only (the contract stands in pyproject.toml)."""

from pathlib import Path

import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

ROOT = Path(__file__).parents[1]


def test_imports_go_down_the_floors(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setenv("COLUMNS", "110")
    status = lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True, no_logo=True)

    report = capsys.readouterr().out
    assert status == EXIT_STATUS_SUCCESS, f"the floors are broken:\n{report}"
