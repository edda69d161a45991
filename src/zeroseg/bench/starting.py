"""Whole processes: the help, the first mask."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

from zeroseg.bench.measuring import Pair
from zeroseg.bench.setting import PHOTO, PHOTOS, Setting
from zeroseg.bench.targets import FIRST, HELP


def starting(setting: Setting) -> Iterator[Pair]:
    """Seconds of `zeroseg --help`, and from nothing to the first mask with a bundled model; beside bare imports."""
    python = [sys.executable]
    bare = _run([*python, "-c", "pass"])
    yield Pair("startup", "zeroseg --help", "python -c pass", _process("--help"), bare, target=HELP)
    out = str(setting.folder / "first")
    ours = _process("segment", str(PHOTOS / PHOTO), "--labels", "dog, grass", "--overwrite", "--out", out)
    torch = _run([*python, "-c", "import torch"])
    yield Pair("startup", "first mask, cold", "python -c 'import torch'", ours, torch, target=FIRST)


def _process(*arguments: str) -> Callable[[], object]:
    return _run([sys.executable, "-m", "zeroseg.cli", *arguments])


def _run(command: list[str]) -> Callable[[], object]:
    return lambda: subprocess.run(command, check=True, capture_output=True)
