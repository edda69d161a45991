"""Any folder of images and masks.

FOLDER/images and FOLDER/masks; or FOLDER itself, with the masks in a second folder, FOLDER-masks. A mask is a PNG with
one channel, grey (8 or 16 bits) or with a palette, and has its image's name; its numbers are classes.

The names of the classes are in labels.json or labels.txt, with the masks or in FOLDER: a list, or one line for each, in
the order of the numbers from 0; or a JSON object, {"0": "background", "1": "cat", "7": "dog"}. A class 0 with the name
"background" is the background. `zeroseg picturebook write --out scenes --masks scenes-masks` writes this form.

Ignored numbers (`MaskOptions.ignore`) are not classes, with or without a name. By default 255 is ignored unless it has
a name. If there are two names, 0 and 1, and nothing is ignored, 255 is also class 1: masks of 0 and 255.

`labelled_images` says how images are read that EXIF rotates or flips.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from zeroseg.errors import DatasetError, ImageError
from zeroseg.evaluation.class_names import names_from
from zeroseg.evaluation.download import Download
from zeroseg.evaluation.labelled_images import LabelledImages, masked_items
from zeroseg.evaluation.masks import LARGEST_NUMBER, VOID, MaskOptions, Numbering
from zeroseg.images import IMAGE_SUFFIXES, find_images
from zeroseg.segmentation import IGNORE
from zeroseg.vocabulary import BACKGROUND

REMEDY = "docs/datasets.md says what is read"
TWO = [0, 1]  # the numbers of masks with one class and the rest


def open_folder(folder: Path, size: int | None = None, masks: MaskOptions | None = None) -> LabelledImages:
    """The first `size` images by name, or all. Raises `DatasetError` if no image has a mask or names are wrong.

    An image without mask, or a mask without image, is a problem of that image (`check`).
    """
    options = masks or MaskOptions()
    given = Download("folder", folder, REMEDY)
    beside = f"../{folder.resolve().name}-masks"
    drawn = given.directory("masks", beside)
    images = given.directory("images") if drawn == folder / "masks" else folder
    path = _names_file(drawn, folder)
    numbering, labels = _numbering(_labels(path), options.ignore)
    has_background = labels.get(0, "").casefold() == BACKGROUND
    names = names_from(path, list(labels.values())[int(has_background) :])
    found, truths = _by_name(images, IMAGE_SUFFIXES), _by_name(drawn, {".png"})
    if found.keys().isdisjoint(truths):
        given.expect("masks", sorted(found), truths)
    triples = [
        (name, found.get(name, images / name), truths.get(name, drawn / f"{name}.png"))
        for name in sorted(found.keys() | truths.keys())[:size]
    ]
    items = masked_items(triples, numbering)
    note = _note_of_void(labels) if options.ignore is None else ""
    return LabelledImages("folder", names, has_background, items, options.fit, note)


def _numbering(labels: dict[int, str], ignore: Collection[int] | None) -> tuple[Numbering, dict[int, str]]:
    """The classes of the numbers, and the names of the numbers that are classes."""
    if ignore is None:
        ignore = () if VOID in labels else (VOID,)
    kept = {number: name for number, name in labels.items() if number not in ignore}
    classes = {number: place for place, number in enumerate(kept)}
    if list(kept) == TWO and not ignore:
        classes[VOID] = classes[1]
    return Numbering(classes | dict.fromkeys(ignore, IGNORE)), kept


def _note_of_void(labels: Mapping[int, str]) -> str:
    """What to do if masks of two classes have only 0 and 255: 255 is ignored by default."""
    if list(labels) != TWO:
        return ""
    names = json.dumps({"0": labels[0], str(VOID): labels[1]}, ensure_ascii=False)
    return (
        f"No mask has the number 1 ({labels[1]!r}), and {VOID} is ignored: if {VOID} means {labels[1]!r}, use --ignore "
        f"none, or write {names} to labels.json."
    )


def _names_file(*folders: Path) -> Path:
    found = [folder / name for folder in folders for name in ("labels.json", "labels.txt")]
    for path in found:
        if path.is_file():
            return path
    raise DatasetError(f"folder: no file names the classes, such as {str(found[0])!r}; {REMEDY}.")


def _labels(path: Path) -> dict[int, str]:
    """Names by number, in the order of the numbers."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        names = (
            json.loads(text, object_pairs_hook=partial(_without_twins, path))
            if path.suffix == ".json"
            else text.rstrip().splitlines()
        )
        by_number = dict(enumerate(names)) if isinstance(names, list) else names
        labels = dict(sorted((int(key), name) for key, name in by_number.items()))
        if len(labels) < len(by_number) or not all(isinstance(name, str) for name in labels.values()):
            raise ValueError("a number with two names, or a name that is not a text")
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise DatasetError(
            f"{str(path)!r} is neither a list of names nor a JSON object of numbers with names: correct the file."
        ) from error
    outside = [number for number in labels if not 0 <= number <= LARGEST_NUMBER]
    if outside:
        raise DatasetError(
            f"{str(path)!r} names the number {outside[0]}: masks hold numbers from 0 to {LARGEST_NUMBER:,}."
        )
    return labels


def _without_twins(path: Path, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object. Python's reader takes the last of equal keys; here they are refused."""
    names = dict(pairs)
    if len(names) < len(pairs):
        twice = next(key for place, (key, _) in enumerate(pairs) if key in dict(pairs[:place]))
        raise DatasetError(f"{str(path)!r} has two names for the number {twice}: correct the file.")
    return names


def _by_name(folder: Path, suffixes: Collection[str]) -> dict[str, Path]:
    """The pictures of a folder and of its subfolders, by their paths without suffix."""
    try:
        paths = find_images([folder])
    except ImageError as error:
        raise DatasetError(str(error)) from error
    found: dict[str, Path] = {}
    for path in (path for path in paths if path.suffix.lower() in suffixes):
        name = path.relative_to(folder).with_suffix("").as_posix()
        if name in found:
            raise DatasetError(f"{str(found[name])!r} and {str(path)!r} have the same name: remove one of them.")
        found[name] = path
    return found
