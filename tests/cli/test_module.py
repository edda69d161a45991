"""`python -m zeroseg.cli` is `zeroseg`."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(("words", "code", "said"), [(["--version"], 0, "zeroseg "), (["segmnt"], 2, "segmnt")])
def test_the_module_is_the_command(words: list[str], code: int, said: str):
    ended = subprocess.run([sys.executable, "-m", "zeroseg.cli", *words], capture_output=True, text=True, check=False)
    assert ended.returncode == code
    assert said in (ended.stderr if code else ended.stdout)
