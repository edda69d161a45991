"""Runs the readers of tests/formats/peers with the libraries that own the formats, in an environment of their own.

They need other versions of NumPy and Pillow than we do, so they live in .venv-peers (`make peers`).
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
READERS = Path(__file__).parent / "peers"
OWN = ROOT / ".venv-peers" / "bin" / "python"

Picture = tuple[str, np.ndarray]  # the photo's name, and the name of every pixel [H W]


def interpreter() -> Path:
    """The Python of the peers: .venv-peers, or what ZEROSEG_PEERS names.

    Skips the test if there is no .venv-peers. What ZEROSEG_PEERS names must be there: `make test` sets it.
    """
    named = os.environ.get("ZEROSEG_PEERS")
    python = ROOT / (named or OWN)
    if not named and not python.exists():
        pytest.skip("the libraries of the formats are not installed: `make peers` installs them in .venv-peers.")
    return python


def run(script: str, *arguments: Path) -> None:
    """Run a script of the folder; raises `AssertionError` with what it wrote if it fails."""
    command = [str(interpreter()), str(READERS / script), *map(str, arguments)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COVERAGE"))}
    ended = subprocess.run(command, capture_output=True, text=True, timeout=600, env=environment)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def read_by_peer(script: str, folder: Path, out: Path) -> dict[str, list[Picture]]:
    """What a reader finds in the data sets in `folder`: the pictures by the name of the data set, in its order.

    `out`: a new file, "something.npz".
    """
    run(script, folder, out)
    found: dict[str, list[Picture]] = {}
    with np.load(out) as read:
        for count in range(len(read.files) // 4):
            names = read[f"names {count}"][read[f"map {count}"]]
            found.setdefault(str(read[f"set {count}"]), []).append((str(read[f"photo {count}"]), names))
    return found
