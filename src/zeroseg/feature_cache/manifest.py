"""What a cache holds: the teacher and the views, in a file that is written once, with a checksum.

If it is damaged, `zeroseg cache` writes it again: every shard says what it is of.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from zeroseg.errors import CacheError, ConfigError
from zeroseg.files import write_text_atomically, write_text_if_new
from zeroseg.teacher import Teacher
from zeroseg.views import ViewsConfig

FORMAT = 2
MANIFEST = "manifest.json"


class DamagedManifestError(CacheError):
    """A manifest that is not as it was written."""


@dataclass(frozen=True)
class Manifest:
    """The fingerprint of a teacher, the width of its embeddings, and the views."""

    teacher: str
    width: int
    views: ViewsConfig

    @classmethod
    def of(cls, teacher: Teacher, views: ViewsConfig) -> Manifest:
        """Of a cache that is to be made."""
        return cls(teacher.fingerprint, teacher.width, views)

    @property
    def facts(self) -> dict[str, str]:
        """What every shard says of itself; one text, because the order of several is not the same every time."""
        facts = {"format": FORMAT, "teacher": self.teacher, "views": self.views.key}
        return {"cache": json.dumps(facts, sort_keys=True)}

    @property
    def shape(self) -> tuple[int, int]:
        """Views and width: the shape of an image's features."""
        return len(self.views.boxes()), self.width

    @property
    def text(self) -> str:
        """The content of the file."""
        values = {"format": FORMAT, "teacher": self.teacher, "width": self.width, "views": asdict(self.views)}
        return json.dumps({**values, "check": _checksum(values)}, indent=2) + "\n"

    def begin(self, folder: Path) -> bool:
        """Begin a cache; False if another process has begun one just before. Raises `OutputError`."""
        return write_text_if_new(folder / MANIFEST, self.text)

    def restore(self, folder: Path) -> None:
        """Replace a damaged file. Raises `OutputError`."""
        write_text_atomically(folder / MANIFEST, self.text)

    @property
    def is_plausible(self) -> bool:
        """Whether all values are of their types; manifests of earlier versions have no checksum."""
        numbers = (self.width, self.views.side, *self.views.grids)
        flags = {type(self.views.overlapping), type(self.views.own_resolution)}
        return type(self.teacher) is str and all(type(number) is int for number in numbers) and flags == {bool}

    def expect(self, folder: Path, wanted: Manifest) -> None:
        """Raise `CacheError` unless the cache is of the wanted teacher and views."""
        self.expect_teacher(folder, wanted.teacher)
        if self.views != wanted.views:
            raise other_views(folder, self.views, wanted.views)

    def expect_teacher(self, folder: Path, fingerprint: str) -> None:
        """Raise `CacheError` unless the cache is of this teacher."""
        if self.teacher != fingerprint:
            raise CacheError(
                f"{folder} was made with another teacher: name it (--teacher, --recipe), or another folder."
            )


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a cache; None if there is none.

    Raises `DamagedManifestError`, and `CacheError` for a cache of another version.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return None
    try:
        content = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise CacheError(f"{path} cannot be read ({error.strerror}): correct this, and run again.") from error
    try:
        values = json.loads(content)
        check, format_ = values.pop("check", None), values["format"]
        is_checked = check == _checksum(values)
        if format_ == FORMAT and (is_checked or check is None):
            views = values["views"]
            boxes = ViewsConfig(views["side"], tuple(views["grids"]), views["overlapping"], views["own_resolution"])
            found = Manifest(values["teacher"], values["width"], boxes)
            if is_checked or found.is_plausible:
                return found
        is_other = isinstance(format_, int) and format_ != FORMAT and (is_checked or check is None)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, ConfigError):
        is_other = False
    if is_other:
        raise CacheError(f"{path} is of another version: delete the folder and cache again, or name another one.")
    raise DamagedManifestError(
        f"{path} is damaged: `zeroseg cache` on the images, with the teacher and the views as before, writes it again; "
        "what is in the cache stays."
    )


def _checksum(values: dict[str, Any]) -> str:
    return f"{zlib.crc32(json.dumps(values, sort_keys=True).encode()):08x}"


def other_views(folder: Path, views: ViewsConfig, wanted: ViewsConfig) -> CacheError:
    """The error for views that a cache does not hold."""
    return CacheError(f"the cache {folder} has the views {views.key}, not {wanted.key}: name another folder.")
