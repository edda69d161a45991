"""constraints.txt: one tested version of everything that pyproject.toml names, and nothing else in it."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = [line for lines in PROJECT["optional-dependencies"].values() for line in lines]
LINES = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
PINS = [line for line in LINES if not line.startswith("#")]
PEERS = [line for line in (ROOT / "constraints-peers.txt").read_text(encoding="utf-8").splitlines() if line[0] != "#"]


def versions() -> dict[str, str]:
    """The version of each package, by its canonical name."""
    pins = [Requirement(line) for line in PINS]
    return {canonicalize_name(pin.name): next(iter(pin.specifier)).version for pin in pins}


@pytest.mark.parametrize("needed", [*PROJECT["dependencies"], *EXTRAS])
def test_a_dependency_has_a_tested_version_that_will_do(needed: str):
    requirement = Requirement(needed)
    assert requirement.specifier.contains(versions()[canonicalize_name(requirement.name)])


def test_make_installs_the_tested_torch_and_the_tested_rest():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.findall(r"^TORCH\s*:=\s*(\S+)$", makefile, re.MULTILINE) == [f"torch=={versions()['torch']}"]
    (pip,) = re.findall(r"^PIP\s*:=\s*(.+)$", makefile, re.MULTILINE)
    assert "--constraint constraints.txt" in pip


@pytest.mark.parametrize("pin", [*PINS, *PEERS])
def test_a_line_is_one_exact_version_of_a_public_release(pin: str):
    """No hosts, no options, no builds of somebody's own (`+cpu`): it must install anywhere."""
    assert re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][0-9a-z.]*( ; \w+ *[<>=!]+ *['\"][\w.]+['\"])?", pin)


def test_names_are_sorted_and_unique():
    for pins in (PINS, PEERS):
        names = [re.split(r"==", pin)[0].lower() for pin in pins]
        assert names == sorted(set(names))
