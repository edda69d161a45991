"""What COCO's three formats have in common: one JSON file with pictures, categories and annotations.

Format: https://cocodataset.org/#format-data
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zeroseg.errors import DatasetError
from zeroseg.formats.annotated import AnnotatedPhoto, Classes
from zeroseg.formats.json_lists import Append, json_lists, read_json
from zeroseg.versions import ZEROSEG

Record = dict[str, Any]


def category_ids(classes: Classes) -> dict[int, int]:
    """The number of each label's category by the label's index: 1, 2, 3, ... in the order of the labels."""
    return {index: number for number, index in enumerate(classes.named, 1)}


@contextmanager
def document(path: Path, classes: Classes, of_category: Callable[[int], Record] = lambda _: {}) -> Generator[Append]:
    """Yield a function that appends to the lists "images" and "annotations" of a file.

    `of_category`: further values for the category of a label, by its index. Raises `OutputError`.
    """
    categories = [
        {"id": number, "name": classes.labels[index], "supercategory": "", **of_category(index)}
        for index, number in category_ids(classes).items()
    ]
    made = {"description": "Masks of ZeroSeg", "version": ZEROSEG, "has_background": classes.has_background}
    head = {"info": made, "licenses": [], "categories": categories}
    with json_lists(path, head, ("images", "annotations")) as append:
        yield append


def image_record(number: int, annotated: AnnotatedPhoto) -> Record:
    """The entry of a picture."""
    width, height = annotated.segmentation.size
    return {"id": number, "file_name": annotated.photo, "width": width, "height": height}


@dataclass(frozen=True)
class Document:
    """A COCO file: its labels with the index of every category, and each picture with its annotations."""

    classes: Classes
    index_of: dict[int, int]
    pictures: list[tuple[Record, list[Record]]]


def read_document(path: Path) -> Document:
    """A COCO file, of ours or of another tool: then what its annotations leave over is background.

    Raises `DatasetError` if it is missing or malformed.
    """
    values = read_json(path)
    try:
        names = [category["name"] for category in values["categories"]]
        has_background = values.get("info", {}).get("has_background", True)
        classes = Classes.besides_background(names) if has_background else Classes(tuple(names))
        index_of = {category["id"]: classes.labels.index(category["name"]) for category in values["categories"]}
        annotations: defaultdict[Any, list[Record]] = defaultdict(list)
        for annotation in values["annotations"]:
            annotations[annotation["image_id"]].append(annotation)
        pictures = [(image, annotations[image["id"]]) for image in values["images"]]
    except (KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"{str(path)!r} is no COCO file: {error!r} is missing or malformed.") from error
    return Document(classes, index_of, pictures)
