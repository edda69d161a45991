"""`python -m zeroseg` is `zeroseg`, and so is `python -m zeroseg.cli`."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest


@pytest.mark.parametrize("module", ["zeroseg", "zeroseg.cli"])
@pytest.mark.parametrize(("words", "code", "said"), [(["--version"], 0, "zeroseg "), (["segmnt"], 2, "segmnt")])
def test_the_module_is_the_command(module: str, words: list[str], code: int, said: str):
    ended = subprocess.run([sys.executable, "-m", module, *words], capture_output=True, text=True, check=False)
    assert ended.returncode == code
    assert said in (ended.stderr if code else ended.stdout)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_ctrl_c_saves_is_saved_at_a_sigterm_too(number: signal.Signals, tmp_path: Path):
    """A queue or a container stops commands with SIGTERM. Tests in the background of a shell may ignore SIGINT."""
    words = ["picturebook", "write", "--count", "200000", "--out", str(tmp_path)]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    running = subprocess.Popen([sys.executable, "-m", "zeroseg.cli", *words], stderr=subprocess.PIPE, text=True)
    signal.signal(signal.SIGINT, before)
    with running:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob("*.png")) and time.monotonic() < deadline:
            time.sleep(0.05)
        running.send_signal(number)
        _, said = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "stopped; the same command continues" in said
    assert "Traceback" not in said
