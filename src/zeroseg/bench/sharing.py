"""Processes of their own: two that share the machine, and how much memory many labels take."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from math import isnan
from types import TracebackType

from zeroseg.bench.measuring import Pair
from zeroseg.bench.photos import COUNTS, LABELS
from zeroseg.bench.setting import Setting
from zeroseg.bench.targets import FLAT, TWO


class Neighbour:
    """A process of `neighbour`, as a context: it ends with it."""

    def __init__(self, setting: Setting, model: str, labels: int) -> None:
        command = [sys.executable, "-m", "zeroseg.bench.neighbour", model, str(labels), str(setting.side)]
        self._process = subprocess.Popen(
            [*command, str(setting.on)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Neighbour:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.communicate()

    def begin(self) -> None:
        """Let it segment its photo."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def finish(self) -> float:
        """Wait until it has; the most memory that it has had, MB. Raises `ChildProcessError` if it has ended."""
        assert self._process.stdout is not None
        answer = self._process.stdout.readline()
        if not answer:
            raise ChildProcessError("a process that was measured has ended.")
        return float(answer)


def sharing(setting: Setting) -> Iterator[Pair]:
    """A photo by each of two processes at once, beside a photo by one of them: twice as long would be fair."""
    for model in setting.models:
        with Neighbour(setting, model, LABELS) as first, Neighbour(setting, model, LABELS) as second:
            what = f"{model}: two processes at once, a photo each"
            yield Pair("shared", what, "one process, a photo", _all(first, second), _all(first), target=TWO, images=2)


def memory(setting: Setting) -> Iterator[Pair]:
    """The peak memory of a process for many labels, beside that for twenty; nothing where the system does not say."""
    for model in setting.models:
        with ExitStack() as stack:
            many, few = (stack.enter_context(Neighbour(setting, model, count)) for count in (COUNTS[-1], LABELS))
            if isnan(_all(few)()):
                return
            what = f"{model}: peak memory of a process, {COUNTS[-1]:,} labels"
            yield Pair("memory", what, f"{LABELS} labels", _all(many), _all(few), target=FLAT, unit="MB")


def _all(*neighbours: Neighbour) -> Callable[[], float]:
    """All of them work at once; the most memory of one, MB."""

    def work() -> float:
        for one in neighbours:
            one.begin()
        return max([one.finish() for one in neighbours])

    return work
