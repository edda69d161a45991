"""The container file, step by step, as a script: for machines without a builder."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STEPS = re.sub(r"\\\n", "", (ROOT / "Dockerfile").read_text(encoding="utf-8")).splitlines()


def of(instruction: str) -> list[str]:
    """What follows an instruction, each time that it occurs."""
    return [line.removeprefix(instruction).strip() for line in STEPS if line.startswith(f"{instruction} ")]


def test_the_server_does_not_run_as_root() -> None:
    """The last user is the one that was made."""
    (made,) = [line for line in of("RUN") if line.startswith("useradd")]
    assert of("USER") == [made.split()[-1]]
    order = [line.split()[0] for line in STEPS if line and not line.startswith("#")]
    assert order.index("USER") < order.index("ENTRYPOINT")


def test_only_what_is_copied_is_sent_to_the_builder() -> None:
    """`.dockerignore` lets through what `COPY` names, and nothing else."""
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    copied = {name for line in of("COPY") for name in line.split()[:-1]}
    assert {line[1:] for line in ignored if line.startswith("!")} == copied
    assert ignored[0] == "*"
    assert all((ROOT / name).exists() for name in copied)


def test_the_steps_give_a_server(tmp_path: Path) -> None:
    """Installed from what is copied, beside packages that are here already; then it answers, and is healthy."""
    work = tmp_path / "zeroseg"
    work.mkdir()
    for line in of("COPY"):
        for name in line.split()[:-1]:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, work / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / name, work / name)
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    own = subprocess.check_output([python, "-c", "import site; print(site.getsitepackages()[0])"], text=True).strip()
    here = Path(sysconfig.get_paths()["purelib"])
    for package in here.iterdir():  # all but zeroseg itself, which must be installed
        if "zeroseg" not in package.name and not (Path(own) / package.name).exists():
            (Path(own) / package.name).symlink_to(package)
    environment = {**os.environ, "PATH": f"{tmp_path / 'venv' / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": ""}
    for step in of("RUN"):
        if step.startswith("pip install") and "torch==" not in step:
            subprocess.run(["sh", "-c", step], cwd=work, env=environment, check=True, capture_output=True)
    entry = [*json.loads(of("ENTRYPOINT")[0]), "--port", "0", "--model", "picturebook"]
    with subprocess.Popen(entry, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = process.stdout.readline().split(" ")[0].rpartition(":")[2]
        health = json.loads(of("HEALTHCHECK")[0].partition("CMD ")[2])
        checked = [word.replace(":8000/", f":{port}/") for word in health]
        assert subprocess.run([python, *checked[1:]], env=environment, check=False).returncode == 0
        process.terminate()
        assert process.wait(30) == 0


@pytest.mark.skipif("ZEROSEG_DOCKER" not in os.environ, reason="ZEROSEG_DOCKER=1 says that docker can build here")
def test_the_container_is_built() -> None:
    """Where a builder is at hand."""
    built = subprocess.run(["docker", "build", "--tag", "zeroseg-test", str(ROOT)], check=False)
    assert built.returncode == 0
