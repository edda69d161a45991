"""Pictures are decoded by other threads while the network works, within a limit on the pixels that wait."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")
WAITING_PIXELS = 60_000_000  # decoded pictures that wait for the network


def read_ahead(
    tasks: Iterable[T], pixels: Callable[[T], int], read: Callable[[T], R], threads: int, limit: int = WAITING_PIXELS
) -> Generator[R]:
    """Yield what `read` makes of each task, in order; up to `threads` tasks are read ahead, each in its own thread.

    Together they have up to `limit` pixels, or one alone has more. A result counts until the next one is asked for.
    """
    waiting, held = deque[tuple[Future[R], int]](), 0
    pool = ThreadPoolExecutor(threads, "read-ahead")
    try:
        for task in tasks:
            size = pixels(task)
            while waiting and (len(waiting) > threads or held + size > limit):
                future, done = waiting.popleft()
                yield future.result()
                held -= done
            held += size
            waiting.append((pool.submit(read, task), size))
        for future, _ in waiting:
            yield future.result()
    finally:
        pool.shutdown(cancel_futures=True)
