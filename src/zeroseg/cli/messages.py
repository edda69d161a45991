"""Error messages of the command line: one sentence on stderr, and an exit code."""

from __future__ import annotations

import contextlib
import os
import re
import sys

from zeroseg.errors import ZeroSegError
from zeroseg.files import REASONS

FAILED, MISUSED, INTERRUPTED, READER_GONE = 1, 2, 130, 141  # exit codes; the last two: 128 + signal number
CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)  # and what turns the direction of text


class UsageError(Exception):
    """Wrong arguments on the command line; the message says which, and how to get help."""


def complain(error: BaseException) -> int:
    """Print the error as one sentence on stderr; returns the exit code."""
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(error, BrokenPipeError):
        _close_stdout()
        return READER_GONE
    say(_sentence(error))
    return MISUSED if isinstance(error, UsageError) else FAILED


def say(sentence: str) -> None:
    """Print one line on stderr, after the program's name."""
    print(f"zeroseg: {printable(sentence)}", file=sys.stderr)


def printable(text: str) -> str:
    """Text with names of files and labels in it as one line that a terminal only shows: no control characters."""
    return CONTROL.sub(lambda found: ascii(found.group())[1:-1], text)


def _sentence(error: BaseException) -> str:
    said = " ".join(str(error).split())
    if isinstance(error, UsageError | ZeroSegError):
        return said
    if isinstance(error, OSError):
        where = f"{os.fsdecode(error.filename)!r} cannot be used" if error.filename else "the system refused"
        return f"{where}: {REASONS.get(error.errno or 0) or error.strerror or said}."
    return (
        f"this should not have happened ({': '.join(part for part in (type(error).__name__, said[:300]) if part)}); "
        "run the same command with --debug to see where."
    )


def _close_stdout() -> None:
    """Discard the rest of stdout without an error, because its reader has stopped (`zeroseg ... | head`)."""
    with contextlib.suppress(OSError, ValueError):
        stdout = sys.stdout.fileno()
        os.dup2(os.open(os.devnull, os.O_WRONLY), stdout)
