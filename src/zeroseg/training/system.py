"""What a run asks of the operating system: an end with its parent process, and as many open files as are granted."""

from __future__ import annotations

import ctypes
import math
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # of Linux: the signal that a process gets when its parent dies


def end_with(parent: int, number: signal.Signals) -> None:
    """Have this process get a signal when its parent dies, and now if it has died just before; on Linux only."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        signal.raise_signal(number)


def open_as_many_files_as_granted() -> float:
    """Raise this process's limit of open files to the highest that it may have, which is returned.

    The usual limit, 1,024, is for programs that wait for files by an old call (`select`); torch does not.
    """
    if sys.platform == "win32":
        return math.inf
    import resource

    now, highest = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest, highest))
    except (OSError, ValueError):  # the system's own limit is lower
        highest = now
    return math.inf if highest == resource.RLIM_INFINITY else highest
