"""A JSON file with long lists that are written one entry after the other, so that memory does not grow with them."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

from zeroseg.errors import DatasetError
from zeroseg.files import atomic_path, finite_json

Append = Callable[[str, Mapping[str, Any]], None]


@contextlib.contextmanager
def json_lists(path: Path, head: Mapping[str, Any], lists: Sequence[str]) -> Generator[Append]:
    """Yield a function that appends an entry to one of the `lists`; `head` is written before them.

    The file appears at `path` when the block succeeds. Raises `OutputError`.
    """
    with atomic_path(path) as temporary, contextlib.ExitStack() as stack:
        parts = {name: stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8")) for name in lists}

        def append(name: str, entry: Mapping[str, Any]) -> None:
            part = parts[name]
            part.write(",\n" if part.tell() else "\n")
            part.write(json.dumps(entry, ensure_ascii=False))

        yield append
        with temporary.open("w", encoding="utf-8") as whole:
            opening = json.dumps(head, ensure_ascii=False)[:-1]
            whole.write(opening)
            for number, (name, part) in enumerate(parts.items()):
                part.seek(0)
                whole.write(f"{', ' if number or head else ''}{json.dumps(name)}: [")
                shutil.copyfileobj(part, whole)
                whole.write("]")
            whole.write("}\n")


def read_json(path: Path) -> Any:
    """The values of a JSON file. Raises `DatasetError`, a sentence, if it cannot be read."""
    try:
        return finite_json(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise DatasetError(f"{str(path)!r} cannot be read ({error.strerror}): check the path.") from error
    except ValueError as error:
        raise DatasetError(f"{str(path)!r} is not JSON ({error}): write it again.") from error
