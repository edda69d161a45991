"""Bytes of files by their paths, which may lead into archives."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from zeroseg.archives.rows import row_bytes, row_count
from zeroseg.archives.status import Status
from zeroseg.archives.streamed import is_streamed, streamed_status
from zeroseg.archives.tar import directory_of, tar_files

ROWS = frozenset({".parquet", ".arrow"})
SUFFIXES = ROWS | {".tar"}
INTO_ARCHIVE = re.compile(rf"\.(tar|parquet|arrow)(?={re.escape(os.sep)})", re.IGNORECASE)
ROW_NUMBER = re.compile(r"0|[1-9]\d{0,17}", re.ASCII)


@dataclass(frozen=True)
class _Member:
    archive: Path
    name: str
    status: Status


def is_archive(path: Path) -> bool:
    """Whether files can be read from it, by its suffix; whether it exists is not asked."""
    return path.suffix.lower() in SUFFIXES


def has_rows(archive: Path) -> bool:
    """Whether the names in an archive are numbers of rows, of which each has an image; by its suffix."""
    return archive.suffix.lower() in ROWS


def is_member(path: Path) -> bool:
    """Whether a path leads into an archive that exists; whether the file is in it is not asked."""
    return _member(path) is not None


def members(archive: Path) -> Iterator[str]:
    """The names of the files of a tar, or the numbers of the rows of a table, in order.

    `archive / name` is the path of one.

    Raises `OSError` if it cannot be read, and `ImageError` if it is no archive, or is truncated or damaged: then the
    files before the damage have been yielded.
    """
    if has_rows(archive):
        return map(str, range(row_count(archive, _archive_status(archive))))
    return (one.name for one in tar_files(archive))


def read_bytes(path: Path) -> bytes:
    """The contents of a file, also of one in an archive.

    Raises:
        OSError: if it cannot be read; `FileNotFoundError` if there is no such file, or it is not in the archive.
        ImageError: if the archive is none, or is compressed, or if a library for it is missing.
    """
    member = _member(path)
    if member is None:
        _file_status(path)
        return path.read_bytes()
    if has_rows(member.archive):
        return row_bytes(member.archive, member.status, _row(member, path))
    offset, size = _extent(member, path)
    with member.archive.open("rb") as file:
        file.seek(offset)
        data = file.read(size)
    if len(data) < size:
        raise OSError(errno.EIO, "the archive is cut off", str(path))
    return data


def status_of(path: Path) -> Status:
    """Size and time of a file, also of one in an archive; of a row, the size of the whole table.

    Raises as `read_bytes` does.
    """
    member = _member(path)
    if member is None:
        return _file_status(path)
    if has_rows(member.archive):
        _row(member, path)
        return member.status
    return Status(_extent(member, path)[1], member.status.changed_ns)


def _file_status(path: Path) -> Status:
    """Raises `OSError` if it is no file: reading a pipe would wait for ever."""
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "it is not a file", str(path))
    return Status.of(found)


def _member(path: Path) -> _Member | None:
    """The archive that a path leads into, and the rest; None if no part of it but the last is an archive."""
    text = str(path)
    for match in INTO_ARCHIVE.finditer(text):
        archive = Path(text[: match.end()])
        try:
            status = _archive_status(archive)
        except (OSError, ValueError):  # a folder, too
            continue
        return _Member(archive, text[match.end() + 1 :].replace(os.sep, "/"), status)
    return None


def _archive_status(archive: Path) -> Status:
    return streamed_status(archive) if is_streamed(archive) else _file_status(archive)


def _extent(member: _Member, path: Path) -> tuple[int, int]:
    found = directory_of(member.archive, member.status).find(member.name)
    if found is None:
        raise _missing(member, path)
    return found


def _row(member: _Member, path: Path) -> int:
    """The number of a row. Raises `FileNotFoundError` if there is none of that number."""
    is_number = ROW_NUMBER.fullmatch(member.name) is not None
    if not is_number or int(member.name) >= row_count(member.archive, member.status):
        raise _missing(member, path)
    return int(member.name)


def _missing(member: _Member, path: Path) -> FileNotFoundError:
    kind = "row" if has_rows(member.archive) else "file"
    return FileNotFoundError(errno.ENOENT, f"the archive {member.archive.name!r} has no such {kind}", str(path))
