"""The pictures of a data set, as many as they are.

Letters: N path, K hash that several paths have, R path with one of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import chain, groupby
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from zeroseg.errors import ImageError
from zeroseg.images.finding import no_picture_in
from zeroseg.images.path_list import PathList, Paths, PathsInFile, PathsInMemory, PathsInTurn
from zeroseg.images.roots import Notes, Root, roots_of

AT_ONCE = 1 << 20  # hashes

__all__ = ["PathList", "find_images", "list_images"]


def list_images(paths: Iterable[str | os.PathLike[str]], problems: list[ImageError] | None = None) -> PathList:
    """The pictures of folders, archives, lists and patterns, by paths that may lead into archives.

    What is found is that of `search_images`, in the same order. An archive is an uncompressed tar, or a file
    of Parquet or Arrow with an image in each row; `hf:NAME/SPLIT` or `hf:NAME:CONFIG/SPLIT` stands for those of a data
    set of the library `datasets`, `hf-stream:` before the same for Parquet files that stay in the hub. A list is a text
    file (`.txt`) with one path a line, in UTF-8 or any bytes; relative paths are below its folder; blank lines and
    those that begin with "#" are skipped; whether the files exist is not looked at. A picture that several of `paths`
    lead to is listed once.

    `problems`: if given, what cannot be searched (a folder, the rest of a damaged archive) is added to it; nothing of
    it is raised.

    Raises:
        ImageError: if a path does not exist, a folder or an archive cannot be read, or there is no picture.
    """
    searched, notes = [Path(path) for path in paths], Notes()
    sources = list(_sources(_roots(searched, notes)))
    if problems is not None:
        problems += notes.problems
    elif notes.problems:
        raise notes.problems[0]
    found = PathList(sources[0] if len(sources) == 1 else PathsInTurn(sources))
    if not found:
        raise no_picture_in(searched)
    return _distinct(found) if len(searched) > 1 else found


def find_images(paths: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """The pictures of `list_images` as a list; raises `ImageError` as it does."""
    return list(list_images(paths))


def _roots(paths: Iterable[Path], notes: Notes) -> Iterator[Root]:
    for path in paths:
        try:
            yield from roots_of(path, notes)
        except ImageError as error:
            notes.problems.append(error)


def _sources(roots: Iterator[Root]) -> Iterator[Paths]:
    """Lists as they are; all that stands between two lists as one text in memory."""
    for is_list, group in groupby(roots, lambda root: isinstance(root.pictures, PathsInFile)):
        if is_list:
            yield from (root.pictures for root in group if isinstance(root.pictures, PathsInFile))
        else:
            yield PathsInMemory.of(chain.from_iterable(root.pictures for root in group))


def _distinct(paths: PathList) -> PathList:
    """Each path once, at its first place. 64 bits tell them apart: among 100 million, they fail once in 3,700 runs."""
    hashes = np.fromiter(map(hash, paths.names()), np.int64, len(paths))
    ordered = np.sort(hashes)
    several = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    if not len(several):
        return paths
    del ordered
    parts = range(0, len(hashes), AT_ONCE)
    repeated = np.concatenate([start + _those_in(several, hashes[start : start + AT_ONCE]) for start in parts])
    firsts = np.unique(hashes[repeated], return_index=True)[1]
    is_kept = np.ones(len(paths), bool)
    is_kept[repeated] = False
    is_kept[repeated[firsts]] = True
    return paths.take(np.flatnonzero(is_kept))


def _those_in(known: Int64[np.ndarray, " K"], hashes: Int64[np.ndarray, " N"]) -> Int64[np.ndarray, " R"]:
    """The numbers of the hashes that are among `known`, which are sorted."""
    return np.flatnonzero(known[np.searchsorted(known, hashes).clip(max=len(known) - 1)] == hashes)
