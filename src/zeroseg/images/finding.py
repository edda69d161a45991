"""Pictures by their paths, in folders, and by patterns."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path, PurePath

from zeroseg.errors import ImageError
from zeroseg.images.file_formats import IMAGE_SUFFIXES

OTHER_FILES, HIDDEN, LINKED_FOLDERS = "files of other kinds", "hidden files and folders", "linked folders"


@dataclass(frozen=True)
class Found:
    """A picture, and its place: its path below the folder that holds all that was searched."""

    path: Path
    place: PurePath


@dataclass
class Search:
    """What a search has found: pictures, in order; what was left out, with counts; and what could not be searched.

    `empty`: folders without any picture.
    """

    pictures: list[Found] = field(default_factory=list[Found])
    left_out: Counter[str] = field(default_factory=Counter[str])
    problems: list[ImageError] = field(default_factory=list[ImageError])
    empty: list[Path] = field(default_factory=list[Path])


def search_images(paths: Iterable[str | os.PathLike[str]]) -> Search:
    """Find the pictures that are named, those in folders and below them, and those that patterns match.

    A pattern is a path that does not exist and has `*`, `?` or `[`; `**` stands for any folders. (Unix shells replace
    patterns themselves, Windows shells do not.) The order is that of `paths`, sorted within a folder; a file that is
    found twice is listed once. In folders, only names with one of `IMAGE_SUFFIXES` count; hidden files and folders are
    left out, and so are links to folders, which may lead in a circle. Nothing is raised: see `Search.problems`.
    """
    search, found, roots = Search(), dict[Path, None](), list[str]()
    for path in map(Path, paths):
        try:
            pictures, root = _pictures_of(path, search)
            found.update(dict.fromkeys(pictures))
            roots += [_absolute(root)] if pictures else []
            search.empty += [] if pictures else [path]
        except ImageError as error:
            search.problems.append(error)
    root = _common(roots)
    search.pictures = [Found(path, _place(path, root)) for path in found]
    return search


def find_images(paths: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """The pictures of `search_images`, if everything can be searched.

    Raises:
        ImageError: if a path does not exist, a folder cannot be read, or there is no picture.
    """
    searched = [Path(path) for path in paths]
    search = search_images(searched)
    if search.problems:
        raise search.problems[0]
    if not search.pictures:
        raise no_picture_in(searched)
    return [found.path for found in search.pictures]


def no_picture_in(paths: Iterable[Path]) -> ImageError:
    """The error for paths without any picture."""
    where = ", ".join(repr(str(path)) for path in paths) or "no path at all"
    return ImageError(f"No picture found in {where}; supported are {', '.join(sorted(IMAGE_SUFFIXES))}.")


def _pictures_of(path: Path, search: Search) -> tuple[list[Path], Path]:
    """The pictures that a path stands for, and the folder that holds them. Raises `ImageError`."""
    try:
        there, is_folder = path.is_symlink() or path.exists(), path.is_dir()
    except (OSError, ValueError) as error:  # such as a name that is too long
        raise ImageError(f"{str(path)!r} cannot be accessed ({error}); check the path.") from error
    if is_folder:
        return _images_below(path, search), path
    if there:
        return [path], path.parent
    if not glob.has_magic(str(path)):
        raise ImageError(f"There is no file or folder {str(path)!r}; check the path.")
    fixed = Path(*takewhile(lambda part: not glob.has_magic(part), path.parts))
    pictures = list[Path]()
    for match in sorted(fixed.glob(str(path.relative_to(fixed)))):
        if any(part.startswith(".") for part in match.relative_to(fixed).parts):
            search.left_out[HIDDEN] += 1
        elif not match.is_dir():
            pictures += [match] if match.suffix.lower() in IMAGE_SUFFIXES else []
        elif "**" not in path.parts:  # else its files match as well
            pictures += _images_below(match, search)
    if not pictures:
        raise ImageError(f"No picture matches {str(path)!r}; supported are {', '.join(sorted(IMAGE_SUFFIXES))}.")
    return pictures, fixed


def _images_below(folder: Path, search: Search) -> list[Path]:
    """The pictures in a folder and below it; what is left out is counted."""

    def note(error: OSError) -> None:
        search.problems.append(ImageError(f"The folder {error.filename!r} cannot be read ({error.strerror})."))

    found: list[Path] = []
    for parent, folders, names in os.walk(folder, onerror=note):
        linked = {name for name in folders if Path(parent, name).is_symlink()}
        hidden = [name for name in (*folders, *names) if name.startswith(".")]
        folders[:] = sorted(name for name in folders if name not in linked and not name.startswith("."))
        seen = [name for name in names if not name.startswith(".")]
        pictures = [name for name in seen if Path(name).suffix.lower() in IMAGE_SUFFIXES]
        search.left_out += Counter(
            {HIDDEN: len(hidden), LINKED_FOLDERS: len(linked), OTHER_FILES: len(seen) - len(pictures)}
        )
        found += [Path(parent, name) for name in pictures]
    return sorted(found)


def _common(roots: list[str]) -> str:
    """The deepest folder that holds all of them; "" if there is none, as on two drives of Windows."""
    try:
        return os.path.commonpath(roots)
    except ValueError:
        return ""


def _place(path: Path, root: str) -> PurePath:
    """A picture's path below the common folder; its name if there is none."""
    return PurePath(_absolute(path)).relative_to(root) if root else PurePath(path.name)


def _absolute(path: Path) -> str:
    """From the root of the file system, without "..", links unchanged."""
    return os.path.normpath(path.absolute())
