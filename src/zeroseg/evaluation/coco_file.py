"""A JSON file in COCO's form, as different tools write it: images with their files, annotations, classes.

All variants with one clear meaning are read: ids as numbers or texts, numbers as texts, images that are listed twice,
paths with backslashes, paths from another machine. A problem of one image is kept with it (`Picture.problem`); a path
that was not found is the one in the first folder, which cannot be opened later.

An image's `file_name` is searched in the data set's folder of images, then in the folder of the JSON, and in folders
named `images` there and in its parent. If it is not found, its end is searched (`a/b/c.jpg`, `b/c.jpg`, `c.jpg`).
"""

from __future__ import annotations

import json
import math
import os
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zeroseg.errors import DatasetError
from zeroseg.evaluation.download import Download

Record = dict[str, Any]  # an object in the JSON
Size = tuple[int, int]  # height, width


@dataclass(frozen=True)
class Picture:
    """An image of the file: its name, its path, its size if the file has it, and its annotations."""

    name: str
    path: Path
    size: Size | None
    annotations: Sequence[Record]
    problem: str = ""


@dataclass(frozen=True)
class CocoFile:
    """A JSON file: its images in the order of their names, and category names by id, in the order of the ids."""

    path: Path
    pictures: Sequence[Picture]
    categories: Mapping[str, str]


def read_coco(path: Path, download: Download, folders: Sequence[Path]) -> CocoFile:
    """Read a JSON whose images are in one of `folders`. Raises `DatasetError` if it is not in COCO's form."""
    try:
        data = json.loads(path.read_bytes())
        by_image: defaultdict[str, list[Record]] = defaultdict(list)
        for annotation in data["annotations"]:
            by_image[key_of(annotation["image_id"])].append(annotation)
        listed = [(_name(record["file_name"]), key_of(record["id"]), record) for record in data["images"]]
        categories = _categories(path, data["categories"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise malformed(path, error) from error
    if not listed:
        raise DatasetError(f"{str(path)!r} lists no image: name another folder.")
    places = _places([name for name, _, _ in listed], folders, path, download)
    return CocoFile(path, _pictures(path, listed, places, by_image), categories)


def malformed(path: Path, error: Exception) -> DatasetError:
    """The error for a file that is not in COCO's form."""
    kind = f"{type(error).__name__}: {error}"
    return DatasetError(f"{str(path)!r} is not in COCO's form ({kind}): see https://cocodataset.org/#format-data.")


def key_of(identity: Any) -> str:
    """An id as text: 7, 7.0 and "7" are equal. Raises `TypeError` if it is not an id."""
    if isinstance(identity, bool) or not isinstance(identity, int | float | str):
        raise TypeError(f"{identity!r} is not an id")
    if isinstance(identity, float) and identity.is_integer():
        identity = int(identity)
    return str(identity).strip()


def finite(number: Any) -> float:
    """A finite number, which may be written as text. Raises `ValueError` or `TypeError` for all other values."""
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(f"{number!r} is not a finite number")
    return value


# --- categories ---------------------------------------------------------------------------------


def _categories(path: Path, records: Sequence[Record]) -> dict[str, str]:
    """Names by id, in the order of the ids: numbers before other texts."""
    names: dict[str, str] = {}
    for record in records:
        key, name = key_of(record["id"]), record["name"]
        if not isinstance(name, str):
            raise TypeError(f"{name!r} is not the name of a category")
        name = " ".join(name.split())
        if names.setdefault(key, name) != name:
            raise DatasetError(f"{str(path)!r} gives the id {key} to {names[key]!r} and {name!r}: correct the file.")
    return dict(sorted(names.items(), key=lambda item: _order(item[0])))


def _order(key: str) -> tuple[bool, float, str]:
    try:
        return False, finite(key), key
    except ValueError:
        return True, 0.0, key


# --- images -------------------------------------------------------------------------------------


def _name(file_name: Any) -> str:
    """The path in the file, with slashes as separators."""
    if not isinstance(file_name, str) or not file_name.strip():
        raise TypeError(f"{file_name!r} is not a file name")
    return os.path.normpath(file_name.strip().replace("\\", "/"))


def _places(names: Sequence[str], folders: Sequence[Path], path: Path, download: Download) -> dict[str, Path]:
    """Paths of images by name. Raises `DatasetError` if all images are missing, or two have the same path."""
    found = {name: place for name in dict.fromkeys(names) if (place := _place(name, folders)) is not None}
    if not found:
        download.expect("images", sorted(dict.fromkeys(names)), found)
    by_file: dict[Path, str] = {}
    for name, (file, is_whole) in found.items():
        other = by_file.setdefault(file, name)
        if other != name and not (is_whole and found[other][1]):
            raise DatasetError(
                f"{str(path)!r} lists {other!r} and {name!r}, but only {str(file)!r} is found for both: "
                "put the images into the folders that the file names."
            )
    return {name: folders[0] / name for name in names} | {name: file for name, (file, _) in found.items()}


def _place(name: str, folders: Sequence[Path]) -> tuple[Path, bool] | None:
    """The path of a file, and whether it was found under its whole name (else under the end of it)."""
    for tail in _tails(name):
        for folder in folders:
            if _is_file(folder / tail):
                return Path(os.path.normpath(folder / tail)), tail == name
    return None


def _is_file(path: Path) -> bool:
    """Whether there is a file; there is none with a name that is too long."""
    try:
        return path.is_file()
    except OSError:
        return False


def find_file(file_name: Any, folders: Sequence[Path]) -> Path | None:
    """The path of a file, by its name or the end of it; None if it is not found. Raises `TypeError` for a bad name."""
    found = _place(_name(file_name), folders)
    return None if found is None else found[0]


def _tails(name: str) -> Iterator[str]:
    """A path and its ends, the longest first."""
    yield name
    parts = Path(name).parts
    for start in range(1, len(parts)):
        yield str(Path(*parts[start:]))


def _pictures(
    path: Path,
    listed: Sequence[tuple[str, str, Record]],
    places: Mapping[str, Path],
    by_image: Mapping[str, Sequence[Record]],
) -> list[Picture]:
    """Every file once, with the annotations of all its entries."""
    rows: defaultdict[Path, list[tuple[str, str, Record]]] = defaultdict(list)
    files_of: defaultdict[str, set[Path]] = defaultdict(set)
    for row in listed:
        rows[places[row[0]]].append(row)
        files_of[row[1]].add(places[row[0]])
    pictures: list[Picture] = []
    for file, same in rows.items():
        keys = list(dict.fromkeys(key for _, key, _ in same))
        size, problem = _size([record for _, _, record in same])
        shared = [key for key in keys if len(files_of[key]) > 1 and by_image.get(key)]
        if shared:
            problem = (
                f"gives the id {shared[0]} to {len(files_of[shared[0]])} images, so its annotations have no clear image"
            )
        annotations = [annotation for key in keys for annotation in by_image.get(key, ())]
        name = same[0][0]
        said = f"{str(path)!r} {problem} ({name!r}); correct or remove it." if problem else ""
        pictures.append(Picture(name, file, size, annotations, said))
    return sorted(pictures, key=lambda picture: picture.name)


def _size(records: Collection[Record]) -> tuple[Size | None, str]:
    """Height and width, if the file has them, and what is wrong with them."""
    sizes: set[Size] = set()
    for record in records:
        height, width = record.get("height"), record.get("width")
        if not height and not width:
            continue
        try:
            sizes.add((_whole(height), _whole(width)))
        except (ValueError, TypeError):
            return None, f"gives an image the size {width!r} x {height!r}"
    if len(sizes) > 1:
        return None, "lists an image twice, in two sizes"
    return next(iter(sizes), None), ""


def _whole(number: Any) -> int:
    value = finite(number)
    if value < 1 or not value.is_integer():
        raise ValueError(f"{number!r} is not a number of pixels")
    return int(value)
