"""What a run asks of the operating system, tried in processes of its own."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits and signals are those of Linux here")

LIMITED = """
import resource
from zeroseg.training.system import open_as_many_files_as_granted
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 90))
open_as_many_files_as_granted()
print(resource.getrlimit(resource.RLIMIT_NOFILE))
"""

ORPHAN = """
import os, signal, sys, time
from zeroseg.training.system import end_with
parent = os.getpid()
if os.fork():
    time.sleep(0 if sys.argv[1] == "before" else 0.5)
    os.kill(parent, signal.SIGKILL)
if sys.argv[1] == "before":
    time.sleep(0.5)
end_with(parent, signal.SIGTERM)
time.sleep(60)
"""


def test_a_process_may_open_as_many_files_as_it_is_granted():
    said = subprocess.run([sys.executable, "-c", LIMITED], capture_output=True, text=True, check=True)
    assert said.stdout == "(90, 90)\n"


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_process_ends_with_its_parent(when: str):
    """Whether the parent dies before it is asked for, or after: the pipe is closed when the last process has ended."""
    parent = subprocess.run([sys.executable, "-c", ORPHAN, when], stdout=subprocess.PIPE, timeout=30, check=False)
    assert parent.returncode == -9
