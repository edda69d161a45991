"""Locks of folders: what one process writes, another one does not write at the same time."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import sys
from collections.abc import Generator
from io import BufferedReader
from pathlib import Path

from zeroseg.errors import OutputError
from zeroseg.files import TEMPORARY, cannot_write, give_second_name

if sys.platform != "win32":
    import fcntl


@contextlib.contextmanager
def held(folder: Path, inside: bool = False) -> Generator[None]:
    """Lock a folder for this process with a file that contains the process number.

    It is beside the folder, FOLDER.lock, or `inside` it, FOLDER/.lock. The system itself locks that file until the
    process ends, however it ends (in a container, all of them may have one number). The lock of a process that no
    longer runs is taken over. Raises `OutputError` if another process holds the folder, or if it cannot be written.
    """
    whole = folder.resolve()
    lock = whole / ".lock" if inside else whole.parent / f"{whole.name}.lock"
    own = lock.with_name(f"{TEMPORARY}{secrets.token_hex(6)}.lock")
    with contextlib.ExitStack() as kept:
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            own.write_text(str(os.getpid()), encoding="ascii")
            kept.enter_context(_locked(own))
            _place(own, lock, folder)
            if not own.samefile(lock):
                kept.enter_context(_locked(lock))
        except OSError as error:
            raise OutputError(cannot_write(lock, error)) from error
        finally:
            with contextlib.suppress(OSError):
                own.unlink()
        kept.callback(lock.unlink, missing_ok=True)
        yield


def _place(own: Path, lock: Path, folder: Path) -> None:
    """Give a complete lock its name in one step, so that no process ever sees an empty one."""
    try:
        give_second_name(own, lock)
    except FileExistsError:
        _refuse_if_held(lock, folder)
        dead = own.with_suffix(".dead")
        try:
            with contextlib.suppress(FileNotFoundError):
                lock.rename(dead)
                _refuse_if_held(dead, folder)  # another process has taken the lock over just before
        except OutputError:
            give_second_name(dead, lock)
            raise
        finally:
            dead.unlink(missing_ok=True)
        try:
            give_second_name(own, lock)
        except FileExistsError:
            raise _in_use(folder, "another process") from None


def _refuse_if_held(lock: Path, folder: Path) -> None:
    """Raise `OutputError` if the process that a lock names is running."""
    with contextlib.suppress(FileNotFoundError), lock.open("rb") as file:
        owner = file.read().decode("ascii", errors="replace")
        if owner.isdecimal() and _is_held(file, int(owner)):
            raise _in_use(folder, f"process {owner}")


@contextlib.contextmanager
def _locked(path: Path) -> Generator[None]:
    """The system's lock of a file, until the block or the process ends; where there is none, nothing."""
    with path.open("rb") as file:
        with contextlib.suppress(OSError):
            _lock(file)
        yield


def _is_held(file: BufferedReader, owner: int) -> bool:
    """Whether the process that has locked a file is running."""
    try:
        _lock(file)
    except BlockingIOError:
        return True
    except OSError:  # this system, or this disk, has no locks
        return _is_alive(owner)
    return False


def _lock(file: BufferedReader) -> None:
    """Raises `BlockingIOError` if it is locked, and another `OSError` where files cannot be locked."""
    if sys.platform == "win32":
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _in_use(folder: Path, owner: str) -> OutputError:
    return OutputError(f"{folder} is in use by {owner}: wait for it, or name another folder.")


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return process > 0
