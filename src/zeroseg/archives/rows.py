"""Images in the rows of Parquet and Arrow files, as the library `datasets` writes them.

A column `image` has the bytes of an image file and its path, or only bytes. A file of the format Arrow is mapped into
memory, so that any row is read at once. Of a Parquet file whole row groups are read, which takes long in random order;
it may be in the hub.
"""

from __future__ import annotations

import bisect
import errno
import itertools
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from zeroseg.archives.recent import Recent
from zeroseg.archives.status import Status
from zeroseg.archives.streamed import is_streamed, open_streamed, transferring
from zeroseg.errors import ImageError

OPEN_FILES = 256
GROUPS = 1 << 28  # bytes of the row groups that are kept
ARROW_FILE = b"ARROW1"  # else an Arrow file is a stream


class Rows(ABC):
    """The images of an open file, in parts that have so many rows."""

    def __init__(self, lengths: Iterable[int]):
        self._ends = list(itertools.accumulate(lengths))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def value(self, number: int) -> Any:
        """What the column has in a row: bytes, or a dictionary of "bytes" and "path"."""
        part = bisect.bisect_right(self._ends, number)
        return self._values(part)[number - (self._ends[part - 1] if part else 0)].as_py()

    @abstractmethod
    def _values(self, part: int) -> Any:
        """The column in a part of the file."""


Key = tuple[Path, Status, int]  # with the process, if connections belong to it

_open_files = Recent[Key, Rows](OPEN_FILES, lambda _: 1)
_groups = Recent[tuple[Key, int], Any](GROUPS, lambda group: int(group.nbytes))


def row_count(path: Path, status: Status) -> int:
    """How many rows a file has; raises as `row_bytes` does."""
    return len(_rows(path, status))


def row_bytes(path: Path, status: Status, number: int) -> bytes:
    """The image file in a row; if a row has only a path, the file of that path.

    Raises:
        OSError: if the file cannot be read, or if the row has no image (`FileNotFoundError`).
        ImageError: if the file is damaged or has no images, or if pyarrow is missing.
    """
    rows = _rows(path, status)
    with _said(path):
        value = rows.value(number)
    content, file = (value.get("bytes"), value.get("path")) if isinstance(value, dict) else (value, None)
    if content is None and file:
        return (path.parent / file).read_bytes()
    if content is None:
        raise FileNotFoundError(errno.ENOENT, "the row has no image", f"{path}{os.sep}{number}")
    return bytes(content)


def _rows(path: Path, status: Status) -> Rows:
    key = (path, status, os.getpid() if is_streamed(path) else 0)
    with _said(path):
        return _open_files.get(key, lambda: ParquetRows(key) if path.suffix.lower() == ".parquet" else ArrowRows(path))


class ParquetRows(Rows):
    """The images of a Parquet file."""

    def __init__(self, key: Key):
        """`key`: path, status and process."""
        from pyarrow import parquet

        self._key = key
        given = open_streamed(key[0]) if is_streamed(key[0]) else key[0]
        self._file = parquet.ParquetFile(given, memory_map=True)
        self._column = _column(self._file.schema_arrow, key[0])
        self._reading = threading.Lock()
        metadata = self._file.metadata
        super().__init__(metadata.row_group(group).num_rows for group in range(metadata.num_row_groups))

    def _values(self, part: int) -> Any:
        with self._reading:  # several threads that want one group: the first reads it
            return _groups.get((self._key, part), lambda: self._group(part))

    def _group(self, group: int) -> Any:
        return self._file.read_row_group(group, columns=[self._column], use_threads=False).column(self._column)


class ArrowRows(Rows):
    """The images of a file of Arrow's format."""

    def __init__(self, path: Path):
        import pyarrow as pa

        text = pa.memory_map(str(path))
        is_file = text.read(len(ARROW_FILE)) == ARROW_FILE
        text.seek(0)
        table = (pa.ipc.open_file(text) if is_file else pa.ipc.open_stream(text)).read_all()
        self._chunks = table.column(_column(table.schema, path)).chunks
        super().__init__(map(len, self._chunks))

    def _values(self, part: int) -> Any:
        return self._chunks[part]


def _column(schema: Any, path: Path) -> str:
    """The column of images: `image`, or else the first that can hold images. Raises `ImageError` if there is none."""
    import pyarrow.types as kinds

    def has_images(kind: Any) -> bool:
        return kinds.is_binary(kind) or kinds.is_large_binary(kind)

    def has_files(kind: Any) -> bool:
        return kinds.is_struct(kind) and any(one.name == "bytes" and has_images(one.type) for one in kind)

    suitable: list[Callable[[Any], bool]] = [
        lambda one: one.name == "image" and (has_files(one.type) or has_images(one.type)),
        lambda one: has_files(one.type),
        lambda one: has_images(one.type),
    ]
    for suits in suitable:
        found = next(filter(suits, schema), None)
        if found is not None:
            return str(found.name)
    raise ImageError(
        f"{str(path)!r} has no images: a column `image` with the bytes of image files is needed, "
        f"its columns are {', '.join(schema.names)}."
    )


@contextmanager
def _said(path: Path) -> Generator[None]:
    """What pyarrow raises, as one sentence."""
    try:
        import pyarrow as pa
    except ImportError as error:
        raise ImageError(f'{str(path)!r}: Parquet and Arrow need pyarrow: pip install "zeroseg[datasets]".') from error
    with transferring(path) if is_streamed(path) else nullcontext():
        try:
            yield
        except (pa.ArrowException, OSError) as error:
            if isinstance(error, OSError) and (type(error) is not OSError or error.errno is not None):
                raise  # of the file system, or of a connection; what Arrow cannot decode is a bare one
            said = " ".join(str(error).split())[:200]
            raise ImageError(f"{str(path)!r} is damaged ({said}); write or download it again.") from error
