"""What a path stands for: pictures of folders, archives, lists and patterns, one after the other."""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path

from zeroseg.archives import (
    HUB_SET,
    STREAMED_SET,
    files_of_hub_set,
    files_of_streamed_set,
    has_rows,
    is_archive,
    is_member,
    members,
    status_of,
)
from zeroseg.errors import ImageError
from zeroseg.images.braces import expanded
from zeroseg.images.file_formats import IMAGE_SUFFIXES
from zeroseg.images.path_list import PathsInFile

OTHER_FILES, HIDDEN, LINKED_FOLDERS = "files of other kinds", "hidden files and folders", "linked folders"
LIST = ".txt"
COMPRESSED = re.compile(r"\.(tgz|tar\.\w+)$", re.IGNORECASE)


@dataclass
class Notes:
    """What was left out of a search, with counts, and what could not be searched."""

    left_out: Counter[str] = field(default_factory=Counter[str])
    problems: list[ImageError] = field(default_factory=list[ImageError])


@dataclass(frozen=True)
class Root:
    """Pictures, and the folder or archive that holds them; None if a list names them."""

    pictures: Iterable[str | Path]
    folder: Path | None


def roots_of(path: Path, notes: Notes) -> Iterator[Root]:
    """What a path stands for. Pictures are found when they are asked for, and then notes are taken.

    Raises `ImageError` if there is nothing of that name.
    """
    if str(path).startswith(HUB_SET):
        return (Root(_pictures_in(file, notes), file) for file in files_of_hub_set(str(path)))
    if str(path).startswith(STREAMED_SET) and not is_member(path):
        return (Root(_pictures_in(file, notes), file) for file in files_of_streamed_set(str(path)))
    try:
        there, is_folder = path.is_symlink() or path.exists(), path.is_dir()
        if there or is_member(path):
            return _roots_of_one(path, is_folder, notes)
    except (OSError, ValueError) as error:  # such as a name that is too long
        raise ImageError(f"{str(path)!r} cannot be accessed ({error}); check the path.") from error
    names = list(expanded(str(path)))
    if names != [str(path)]:
        return (root for name in names for root in roots_of(Path(name), notes))
    if glob.has_magic(str(path)):
        return iter(_roots_of_pattern(path, notes))
    raise ImageError(f"There is no file or folder {str(path)!r}; check the path.")


def _roots_of_one(path: Path, is_folder: bool, notes: Notes) -> Iterator[Root]:
    if is_folder:
        yield Root(_pictures_below(path, notes), path)
    elif is_archive(path):
        yield Root(_pictures_in(path, notes), path)
    elif path.suffix.lower() == LIST:
        yield Root(_listed(path), None)
    elif COMPRESSED.search(path.name):
        raise ImageError(
            f"{str(path)!r} is compressed: single files can be read only from uncompressed tars; unpack it."
        )
    else:
        if is_member(path):
            _check_member(path)
        yield Root([path], path.parent)


def _roots_of_pattern(path: Path, notes: Notes) -> list[Root]:
    """Matches with the suffix of a picture, and folders; archives and lists if the pattern ends with their suffix."""
    fixed = Path(*takewhile(lambda part: not glob.has_magic(part), path.parts))
    named = {path.suffix.lower()} if is_archive(path) or path.suffix.lower() == LIST else set[str]()
    roots = list[Root]()
    for match in sorted(fixed.glob(str(path.relative_to(fixed)))):
        if any(part.startswith(".") for part in match.relative_to(fixed).parts):
            notes.left_out[HIDDEN] += 1
        elif not match.is_dir():
            if match.suffix.lower() in IMAGE_SUFFIXES | named:
                roots += [Root(root.pictures, root.folder and fixed) for root in _roots_of_one(match, False, notes)]
        elif "**" not in path.parts:  # else its files match as well
            roots.append(Root(_pictures_below(match, notes), fixed))
    if not roots:
        raise ImageError(f"No picture matches {str(path)!r}; supported are {', '.join(sorted(IMAGE_SUFFIXES))}.")
    return roots


def _pictures_below(folder: Path, notes: Notes) -> Iterator[str]:
    """The pictures in a folder and below it, sorted by the parts of their paths.

    No more than the contents of a folder, and of those above it, are in memory at any time.
    """
    above = [iter([(str(folder), True)])]
    while above:
        path, is_folder = next(above[-1], ("", False))
        if is_folder:
            above.append(_contents(path, notes))
        elif path:
            yield path
        else:
            above.pop()


def _contents(folder: str, notes: Notes) -> Iterator[tuple[str, bool]]:
    """The pictures and folders in a folder, sorted, and whether each is a folder; what is left out is counted."""
    names, folders, left_out = list[str](), set[str](), Counter[str]()
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                name = entry.name
                if name.startswith("."):
                    left_out[HIDDEN] += 1
                elif _is_folder(entry):
                    if entry.is_symlink():
                        left_out[LINKED_FOLDERS] += 1
                    else:
                        folders.add(name)
                elif name[name.rfind(".") :].lower() in IMAGE_SUFFIXES:
                    names.append(name)
                else:
                    left_out[OTHER_FILES] += 1
    except OSError as error:
        notes.problems.append(ImageError(f"The folder {folder!r} cannot be read ({error.strerror})."))
        return iter(())
    notes.left_out += left_out
    start = folder if folder.endswith(os.sep) else folder + os.sep
    return ((start + name, name in folders) for name in sorted([*names, *folders]))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _pictures_in(archive: Path, notes: Notes) -> Iterator[str]:
    """The pictures of an archive, in order; what is left out is counted. Damage is a problem of the search."""
    start, left_out = f"{archive}{os.sep}", Counter[str]()
    try:
        for name in members(archive):
            if has_rows(archive):
                yield start + name
            elif name.startswith(".") or "/." in name:
                left_out[HIDDEN] += 1
            elif name[name.rfind(".") :].lower() in IMAGE_SUFFIXES:
                yield start + name
            else:
                left_out[OTHER_FILES] += 1
    except ImageError as error:
        notes.problems.append(error)
    except OSError as error:
        notes.problems.append(ImageError(f"The archive {str(archive)!r} cannot be read ({error.strerror})."))
    notes.left_out += left_out


def _listed(path: Path) -> PathsInFile:
    try:
        return PathsInFile(path)
    except OSError as error:
        raise ImageError(f"The list {str(path)!r} cannot be read ({error.strerror}); check the path.") from error


def _check_member(path: Path) -> None:
    try:
        status_of(path)
    except OSError as error:
        raise ImageError(f"{str(path)!r} cannot be found ({error.strerror}); check the path.") from error
