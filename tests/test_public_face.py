"""The public face: few names, sorted, documented, and cheap to import."""

import ast
import inspect
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import is_dataclass
from pathlib import Path

import pytest

import zeroseg

SOURCE = Path(__file__).parents[1] / "src" / "zeroseg"
MODULES = sorted(SOURCE.rglob("*.py"))

Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def test_names_are_sorted_and_unique():
    assert zeroseg.__all__ == sorted(set(zeroseg.__all__))


def test_names_are_listed_by_dir():
    assert set(zeroseg.__all__) <= set(dir(zeroseg))


@pytest.mark.parametrize("name", [name for name in zeroseg.__all__ if name != "__version__"])
def test_each_name_is_documented(name: str):
    thing = getattr(zeroseg, name)

    assert inspect.isclass(thing) or inspect.isroutine(thing), f"zeroseg.{name} cannot carry a docstring"
    written = thing.__doc__ or ""
    if is_dataclass(thing) and written.startswith(f"{name}("):
        written = ""  # dataclass wrote its signature there, which says nothing
    assert written.strip(), f"zeroseg.{name} has no docstring"


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = zeroseg.no_such_name


def test_import_is_light():
    """`zeroseg --help` must answer at once, so the package alone loads none of the heavy libraries."""
    heavy = ("torch", "transformers", "numpy", "PIL", "huggingface_hub")
    program = f"import sys, zeroseg; print(*[name for name in {heavy!r} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout

    assert not loaded.strip(), f"`import zeroseg` loads {loaded.strip()}"


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(SOURCE)))
def test_public_things_have_docstrings(module: Path):
    tree = ast.parse(module.read_text(encoding="utf-8"))
    bare = [label for label, node in _public_things(tree, module.stem) if ast.get_docstring(node) is None]

    assert not bare, f"without a docstring in {module.relative_to(SOURCE)}: {', '.join(bare)}"


def _public_things(tree: ast.Module, name: str) -> Iterator[tuple[str, Documented]]:
    """The module, its public classes and functions, and the public methods of those classes."""
    yield f"the module {name}", tree
    for node in tree.body:
        if not isinstance(node, Documented) or node.name.startswith("_"):
            continue
        yield node.name, node
        if isinstance(node, ast.ClassDef):
            yield from (
                (f"{node.name}.{member.name}", member)
                for member in node.body
                if isinstance(member, Documented) and not member.name.startswith("_")
            )
