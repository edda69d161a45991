"""Pictures in folders."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from zeroseg.errors import ImageError
from zeroseg.images.file_formats import IMAGE_SUFFIXES


def find_images(paths: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """Replace folders by the pictures in them and below them; files are kept.

    The order is that of `paths`, sorted within a folder; a file that is found twice is listed once.
    In folders, only names with one of `IMAGE_SUFFIXES` count, and hidden files and folders do not.

    Raises:
        ImageError: if a path does not exist, a folder cannot be read, or there is no picture.
    """
    searched = [Path(path) for path in paths]
    found: dict[Path, None] = {}
    for path in searched:
        try:
            missing, folder = not path.exists(), path.is_dir()
        except OSError as error:  # such as a name that is too long
            raise ImageError(f"{str(path)!r} cannot be accessed ({error.strerror}); check the path.") from error
        if missing:
            raise ImageError(f"There is no file or folder {str(path)!r}; check the path.")
        found.update(dict.fromkeys(_images_below(path) if folder else [path]))
    if not found:
        where = ", ".join(repr(str(path)) for path in searched) or "no path at all"
        raise ImageError(f"No picture found in {where}; supported are {', '.join(sorted(IMAGE_SUFFIXES))}.")
    return list(found)


def _images_below(folder: Path) -> list[Path]:
    def refuse(error: OSError) -> None:
        raise ImageError(f"The folder {error.filename!r} cannot be read ({error.strerror}).") from error

    found: list[Path] = []
    for parent, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [
            Path(parent, name)
            for name in names
            if not name.startswith(".") and Path(name).suffix.lower() in IMAGE_SUFFIXES
        ]
    return sorted(found)
