"""Names of files for photos of which only the suffix differs."""

from __future__ import annotations

from itertools import chain, count
from pathlib import PurePosixPath


class DistinctNames:
    """Gives each photo a name that no earlier one has, also where upper and lower case count as the same."""

    def __init__(self) -> None:
        """No name is taken yet."""
        self._taken = set[str]()

    def of(self, photo: str) -> str:
        """The photo's path without its suffix; if that is taken, with it, and if need be a number: "a/dog.png-2"."""
        stem = str(PurePosixPath(photo).with_suffix(""))
        candidates = chain((stem, photo), (f"{photo}-{number}" for number in count(2)))
        name = next(name for name in candidates if name.casefold() not in self._taken)
        self._taken.add(name.casefold())
        return name
