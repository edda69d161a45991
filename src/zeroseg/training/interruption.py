"""Ctrl-C and SIGTERM stop a long run after its current step, so that it can save first."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Generator
from types import FrameType, TracebackType
from typing import Any


class Interruption:
    """Within this context the first SIGINT or SIGTERM only sets `requested`; a second one has its usual effect.

    `patient`: more of them have no effect. A launcher such as torchrun repeats to its processes a signal that they had
    from the terminal already, and ends them itself if they take too long.
    """

    def __init__(self, patient: bool = False) -> None:
        self.requested, self.patient = False, patient
        self._at_once = False
        self._former: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():  # only the main thread may catch signals
            for number in (signal.SIGINT, signal.SIGTERM):
                self._former[number] = signal.signal(number, self._request)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    @contextlib.contextmanager
    def at_once(self) -> Generator[None]:
        """A block, such as an evaluation, that the first signal ends with `KeyboardInterrupt`, as it has no result."""
        self._at_once = True
        try:
            yield
        finally:
            self._at_once = False

    def _request(self, _number: int, _frame: FrameType | None) -> None:
        repeated, self.requested = self.requested, True
        if not self.patient:
            self._restore()
        if self._at_once and not repeated:
            raise KeyboardInterrupt

    def _restore(self) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)
        self._former.clear()
