"""What ruff and pyright do not see of the tests themselves."""

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
FILES = sorted(TESTS.rglob("*.py"))
ASSERTING = re.compile(r"assert_|raises$|warns$|refused$|close$")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(TESTS)))
def test_whatever_is_raised_is_told_apart_by_its_message(path: Path):
    """ruff's PT011 sees exceptions by name only, not those that come in a variable."""
    calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    raises = [call for call in calls if ast.unparse(call.func) in ("pytest.raises", "pytest.warns")]
    bare = [call.lineno for call in raises if "match" not in {keyword.arg for keyword in call.keywords}]
    assert not bare, f"without `match`: {path.name}, lines {bare}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(TESTS)))
def test_every_test_can_fail(path: Path):
    """It has an `assert`, or calls a function that asserts: of pytest, numpy, torch, or of the tests."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    tests = [node for node in nodes if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    silent = [test.name for test in tests if not _asserts(test)]
    assert not silent, f"{path.name} asserts nothing in {', '.join(silent)}"


def _asserts(test: ast.FunctionDef) -> bool:
    called = [ast.unparse(node.func).rpartition(".")[2] for node in ast.walk(test) if isinstance(node, ast.Call)]
    return any(isinstance(node, ast.Assert) for node in ast.walk(test)) or any(map(ASSERTING.match, called))
