"""Pictures by their paths, in folders and archives, and by patterns: a few, with their places."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from zeroseg.archives import is_archive
from zeroseg.errors import ImageError
from zeroseg.images.file_formats import IMAGE_SUFFIXES
from zeroseg.images.roots import Notes, roots_of


@dataclass(frozen=True)
class Found:
    """A picture, and its place: its path below the folder that holds all that was searched."""

    path: Path
    place: PurePath


@dataclass
class Search(Notes):
    """What a search has found: pictures, in order; what was left out, with counts; and what could not be searched.

    `empty`: folders without any picture.
    """

    pictures: list[Found] = field(default_factory=list[Found])
    empty: list[Path] = field(default_factory=list[Path])


def search_images(paths: Iterable[str | os.PathLike[str]]) -> Search:
    """Find the pictures that are named, those in folders and below them, in archives, and those that patterns match.

    A pattern is a path that does not exist and has `*`, `?` or `[`; `**` stands for any folders; braces stand for
    several names: `train-{0000..0127}.tar`, `{a,b}`. (Unix shells replace both themselves, Windows shells do not.) A
    text file (`.txt`) is a list of paths, as `list_images` says. Archives in a folder are searched if a pattern ends
    with their suffix (`shards/*.tar`). The order is that of `paths`, sorted within a folder, as stored in an archive or
    a list; a file that is found twice is listed once. In folders and archives, only names with one of `IMAGE_SUFFIXES`
    count; hidden files and folders are
    left out, and so are links to folders, which may lead in a circle. Nothing is raised: see `Search.problems`.
    """
    search, found, roots = Search(), dict[Path, None](), list[str]()
    for path in map(Path, paths):
        known = len(search.problems)
        pictures, folders = _pictures_of(path, search)
        found.update(dict.fromkeys(pictures))
        roots += map(_absolute, folders)
        search.empty += [] if pictures or search.problems[known:] else [path]
    root = _common(roots)
    search.pictures = [Found(path, _place(path, root)) for path in found]
    return search


def no_picture_in(paths: Iterable[Path]) -> ImageError:
    """The error for paths without any picture; it says if there are archives in one of them."""
    searched = list(paths)
    where = ", ".join(repr(str(path)) for path in searched) or "no path at all"
    archive = next(
        (one for path in searched if path.is_dir() for one in sorted(path.iterdir()) if is_archive(one)), None
    )
    hint = f" There are archives: name them, such as {str(archive)!r}." if archive else ""
    return ImageError(f"No picture found in {where}; supported are {', '.join(sorted(IMAGE_SUFFIXES))}.{hint}")


def _pictures_of(path: Path, search: Search) -> tuple[list[Path], set[Path]]:
    """The pictures that a path stands for, and the folders that hold them."""
    pictures, folders = list[Path](), set[Path]()
    try:
        for root in roots_of(path, search):
            found = list(map(Path, root.pictures))
            pictures += found
            folders.update(one.parent if root.folder is None else root.folder for one in found)
    except ImageError as error:
        search.problems.append(error)
    return pictures, folders


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
