"""What was made from files and may be used again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """The values that were used last in this process, as many as have `limit` bytes together, and always the last one.

    `size`: the bytes of a value.
    """

    def __init__(self, limit: int, size: Callable[[V], int]):
        self._limit, self._size = limit, size
        self._values = OrderedDict[K, V]()
        self._total = 0
        self._changing = threading.Lock()

    def get(self, key: K, make: Callable[[], V]) -> V:
        """The value of a key; it is made if it is not there. Raises what `make` raises."""
        with self._changing:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = make()  # several threads may make values at the same time, even the same value
        with self._changing:
            if key not in self._values:
                self._values[key] = value
                self._total += self._size(value)
            while self._total > self._limit and len(self._values) > 1:
                self._total -= self._size(self._values.popitem(last=False)[1])
        return value
