"""`scripts/kill_runs.py`, in short: a run that is killed at random moments ends with the weights of one that is not."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked, and signals are those of Linux")
def test_a_run_outlives_kills_and_ends_at_a_sigterm():
    words = [sys.executable, "-m", "scripts.kill_runs", "--kills", "3", "--steps", "12"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert re.search(r"\| kills \(SIGKILL\).*\| 3, \d \|", ended.stdout)
    equal = re.search(r"equal to the undisturbed one in every bit \| (\d+), \1 \|", ended.stdout)
    assert equal is not None, ended.stdout
    assert int(equal[1]) >= 1
