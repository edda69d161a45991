"""What is known of a file without reading it."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Status:
    """The bytes of a file, and the time of its last change in nanoseconds.

    A file of an archive has the time of the archive. For an archive that is not on this machine, the time is a number
    that is another one when the archive has changed.
    """

    size: int
    changed_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> Status:
        """That of a file on this machine."""
        return cls(status.st_size, status.st_mtime_ns)
