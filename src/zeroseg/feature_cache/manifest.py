"""What a cache holds: the teacher and the views, in a file that is written once."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from zeroseg.errors import CacheError, ConfigError
from zeroseg.files import write_text_atomically
from zeroseg.teacher import Teacher
from zeroseg.views import ViewsConfig

FORMAT = 2
MANIFEST = "manifest.json"


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

    def write(self, folder: Path) -> None:
        """Begin a cache. Raises `OutputError`."""
        values = {"format": FORMAT, "teacher": self.teacher, "width": self.width, "views": asdict(self.views)}
        write_text_atomically(folder / MANIFEST, json.dumps(values, indent=2) + "\n")

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
    """The manifest of a cache; None if there is none. Raises `CacheError` if it is damaged."""
    path = folder / MANIFEST
    if not path.is_file():
        return None
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        views, is_ours = values["views"], values["format"] == FORMAT and isinstance(values["teacher"], str)
        if is_ours and isinstance(values["width"], int):
            boxes = ViewsConfig(views["side"], tuple(views["grids"]), views["overlapping"], views["own_resolution"])
            return Manifest(values["teacher"], values["width"], boxes)
    except (OSError, ValueError, KeyError, TypeError, ConfigError):
        pass
    raise CacheError(f"{path} is damaged or of another version: delete the folder and cache again.")


def other_views(folder: Path, views: ViewsConfig, wanted: ViewsConfig) -> CacheError:
    """The error for views that a cache does not hold."""
    return CacheError(f"the cache {folder} has the views {views.key}, not {wanted.key}: name another folder.")
