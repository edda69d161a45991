"""Atomic writing: an output is written completely or not at all.

Every result is written to a temporary file in the same folder, flushed to the disk and then renamed.
So neither a crash nor a full disk leaves half a file, and no reader sees one.
"""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import secrets
import shutil
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any

from zeroseg.errors import OutputError

TEMPORARY = ".zeroseg-"
"""How names of files begin that are not yet written; those of a process that was killed stay behind."""

REASONS = {
    errno.ENOSPC: "the disk is full; free some space and run again",
    errno.EDQUOT: "your disk quota is used up; free some space and run again",
    errno.EFBIG: "the file would be larger than this system allows; write to another disk",
    errno.EROFS: "the disk is read-only; choose another folder",
    errno.EACCES: "permission is missing; choose another folder or change its permissions",
    errno.EPERM: "permission is missing; choose another folder or change its permissions",
    errno.EISDIR: "a folder of that name is in the way; choose another name",
    errno.ENOTDIR: "part of the path is a file, not a folder; choose another folder",
    errno.EEXIST: "part of the path is a file, not a folder; choose another folder",
    errno.ENOTEMPTY: "the folder is not empty; name a new one",
    errno.EBUSY: "a disk is mounted there; name a new folder in it",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
}


def finite_json(text: str) -> Any:
    """The values of a JSON text. Raises `ValueError` if it is not JSON, or if a number is not finite."""

    def read(number: str) -> float:
        value = float(number)
        if not math.isfinite(value):
            raise ValueError(f"{number} is not a finite number")
        return value

    return json.loads(text, parse_constant=read, parse_float=read)


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str], name: Callable[[], str] | None = None) -> Generator[Path]:
    """Yield a temporary path to write to; the file there becomes `path` when the block succeeds.

    `name` is asked after the block for another name in the same folder, for names that depend on the content.
    The temporary file does not exist yet, has the suffix of `path` (for writers that look at it)
    and is in the same folder, which is created if it is missing. On success the file is fsynced and
    renamed to `path`. If the block raises anything, it is removed and `path` stays unchanged.

    Raises:
        OutputError: for any `OSError` of the block or of the writing; its sentence says why.
    """
    target = Path(path)
    temporary = target.with_name(f"{TEMPORARY}{secrets.token_hex(6)}{target.suffix}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
        yield temporary
        _flush_to_disk(temporary)
        temporary.replace(target if name is None else target.with_name(name()))
        _flush_folder(target.parent)
    except OSError as error:
        raise OutputError(cannot_write(target, error)) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


@contextlib.contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Generator[Path]:
    """Yield an empty temporary folder to fill; it becomes the folder `path` when the block succeeds.

    Write the files in it with the functions of this module, which flush them. If the block raises
    anything, the temporary folder is removed with its contents and `path` stays unchanged.

    Raises:
        OutputError: when `path` is a file or a folder that is not empty, and for any `OSError`.
    """
    target = Path(path).resolve()
    check_new_folder(target)
    temporary = target.with_name(f"{TEMPORARY}{secrets.token_hex(6)}")
    try:
        temporary.mkdir(parents=True)
        yield temporary
        if target.exists():
            target.rmdir()  # Windows cannot rename to a path that exists
        temporary.rename(target)
        _flush_folder(target.parent)
    except OSError as error:
        raise OutputError(cannot_write(target, error)) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_target(path: str | os.PathLike[str]) -> None:
    """Raise `OutputError` if a file cannot be written there, before the work that it is for; nothing is created."""
    target = Path(path)
    if target.is_dir():
        raise OutputError(cannot_write(target, IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))))
    check_folder(target.absolute().parent, target)


def check_folder(folder: Path, target: Path | None = None) -> None:
    """Raise `OutputError` if files cannot be written in a folder, which need not exist; nothing is created.

    `target`: what is named in the sentence instead of the folder.
    """
    whole = folder.absolute()
    try:
        there = next(one for one in (whole, *whole.parents) if one.exists())
        if not there.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        if not os.access(there, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise OutputError(cannot_write(target or folder, error)) from error


def check_new_folder(folder: Path) -> None:
    """Raise `OutputError` if `atomic_folder` could not make a folder, before the work; nothing is created."""
    whole = folder.resolve()
    try:
        if whole.exists() and any(whole.iterdir()):
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY))
        if whole.is_mount():
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
    except OSError as error:
        raise OutputError(cannot_write(folder, error)) from error
    check_folder(whole.parent, folder)


def user_cache() -> Path:
    """The folder for what can be made again: `zeroseg` in `XDG_CACHE_HOME`, or in `.cache` in the home folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "zeroseg"


def write_bytes_atomically(path: str | os.PathLike[str], content: bytes | memoryview) -> None:
    """Write `content` to `path`, completely or not at all; raises `OutputError` as `atomic_path` does."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_text_atomically(path: str | os.PathLike[str], text: str) -> None:
    """Write `text` as UTF-8, line ends unchanged, completely or not at all; raises `OutputError`."""
    write_bytes_atomically(path, text.encode())


def append_line(path: Path, line: str) -> None:
    """Append a line to a text file, in one write, so lines of several processes do not mix. Raises `OutputError`."""
    try:
        with path.open("ab+", buffering=0) as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(0, end - 1))
            is_cut = end > 0 and file.read(1) != b"\n"  # by a crash
            file.write(b"\n" * is_cut + line.encode() + b"\n")
    except OSError as error:
        raise OutputError(cannot_write(path, error)) from error


def write_text_if_new(path: Path, text: str) -> bool:
    """Write a file completely unless there is one of that name; False if there is. Raises `OutputError`.

    Of several processes that do so at the same time, one succeeds.
    """
    own = path.with_name(f"{TEMPORARY}{secrets.token_hex(6)}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        own.write_bytes(text.encode())
        _flush_to_disk(own)
        give_second_name(own, path)
        _flush_folder(path.parent)
    except OSError as error:
        if isinstance(error, FileExistsError) and path.exists():
            return False
        raise OutputError(cannot_write(path, error)) from error
    finally:
        with contextlib.suppress(OSError):
            own.unlink()
    return True


def write_together(files: Mapping[Path, bytes], removed: Path | None = None) -> None:
    """Write several files that belong together. None gets its name before all of them are on the disk.

    They get their names in the given order, so name the file last whose presence says that the others are complete;
    its old version may be `removed` before any of them gets its name. Raises `OutputError` as `atomic_path` does.
    """
    with contextlib.ExitStack() as stack:
        for path, content in reversed(list(files.items())):  # the stack ends in reverse order
            stack.enter_context(atomic_path(path)).write_bytes(content)
        if removed is not None:
            removed.unlink(missing_ok=True)


def _flush_to_disk(file: Path) -> None:
    handle = os.open(file, os.O_RDWR)  # Windows flushes only files that are open for writing
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _flush_folder(folder: Path) -> None:
    """Make the rename durable, on systems that can flush a folder."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def give_second_name(file: Path, name: Path) -> None:
    """Give a file another name, in one step. Raises `FileExistsError` if there is a file of that name."""
    try:
        os.link(file, name)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        with name.open("xb") as lock:
            lock.write(file.read_bytes())


def cannot_write(target: Path, error: OSError) -> str:
    """Why a file could not be written, and what to do, as one sentence."""
    why = REASONS.get(error.errno or 0) or f"{error.strerror or error}; choose another place"
    return f"Cannot write {str(target)!r}: {why}."
