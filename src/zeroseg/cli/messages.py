"""What the command line says when something is wrong: one sentence on stderr, and an exit code."""

from __future__ import annotations

import contextlib
import difflib
import os
import sys
from collections.abc import Iterable

from zeroseg.errors import ZeroSegError
from zeroseg.files import REASONS

FAILED, MISUSED, INTERRUPTED, READER_GONE = 1, 2, 130, 141  # exit codes; the last two as shells number signals


class UsageError(Exception):
    """Words on the command line that make no sense; the message says which, and where the help is."""


def complain(error: BaseException) -> int:
    """Say what went wrong, where there is someone to say it to; returns the exit code."""
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(error, BrokenPipeError):
        _close_stdout()
        return READER_GONE
    say(_sentence(error))
    return MISUSED if isinstance(error, UsageError) else FAILED


def hint(name: str, names: Iterable[str], form: str = "{!r}") -> str:
    """ " (did you mean 'x'?)" where a name is much like one of `names`, written in `form`; nothing where it is not."""
    near = difflib.get_close_matches(name, names, 1, 0.5)
    return f" (did you mean {form.format(near[0])}?)" if near else ""


def say(sentence: str) -> None:
    """One line on stderr, under the program's name."""
    print(f"zeroseg: {sentence}", file=sys.stderr)


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
    """Nobody reads on (`zeroseg ... | head`): what is left in the buffer goes nowhere, without a complaint."""
    with contextlib.suppress(OSError, ValueError):
        stdout = sys.stdout.fileno()
        os.dup2(os.open(os.devnull, os.O_WRONLY), stdout)
