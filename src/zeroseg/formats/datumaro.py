"""Datumaro's own format: a JSON file with items, each with a mask for every label of a picture.

Format: https://open-edge-platform.github.io/datumaro/latest/docs/data-formats/formats/datumaro.html. The pixels that no
mask has are background, which is no category.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Bool

from zeroseg.drawing import palette
from zeroseg.errors import DatasetError
from zeroseg.formats import run_lengths
from zeroseg.formats.annotated import AnnotatedPhoto, Classes, Region, Size
from zeroseg.formats.canvas import Canvas
from zeroseg.formats.distinct_names import DistinctNames
from zeroseg.formats.format import DatasetFormat
from zeroseg.formats.json_lists import json_lists, read_json
from zeroseg.formats.outlines import filled
from zeroseg.segmentation import Segmentation

FOLDER, SUBSET = "annotations", "default"
IMAGE = 2  # of Datumaro's kinds of media
WITHOUT_AREA = frozenset({"label", "caption", "points", "polyline", "cuboid_2d", "cuboid_3d"})

Record = dict[str, Any]


class Datumaro(DatasetFormat):
    """`annotations/default.json` ("datumaro"). Datumaro looks for the photos in `images/default/`."""

    name: ClassVar[str] = "datumaro"

    def write(self, folder: Path, classes: Classes, pictures: Iterable[AnnotatedPhoto]) -> None:
        """See `DatasetFormat`. An item's id is the photo's path without its suffix; scores are attributes."""
        numbers, names = {index: number for number, index in enumerate(classes.named)}, DistinctNames()
        with json_lists(folder / FOLDER / f"{SUBSET}.json", _head(classes), ("items",)) as append:
            for annotated in pictures:
                width, height = annotated.segmentation.size
                item = {
                    "id": names.of(annotated.photo),
                    "annotations": list(_masks(annotated.segmentation, numbers)),
                    "image": {"path": annotated.photo, "size": [height, width]},
                }
                append("items", item)

    def read(self, folder: Path) -> Iterator[AnnotatedPhoto]:
        """See `DatasetFormat`; all subsets, also polygons and boxes. What has no area, such as points, is left out."""
        files = sorted((folder / FOLDER).glob("*.json"))
        if not files:
            raise DatasetError(f"{str(folder / FOLDER)!r} has no JSON file: name the folder of a Datumaro data set.")
        for path in files:
            values = read_json(path)
            try:
                labels = [str(label["name"]) for label in values["categories"]["label"]["labels"]]
                has_background = values.get("infos", {}).get("has_background", True)
                items = list(values["items"])
            except (KeyError, TypeError, AttributeError) as error:
                raise DatasetError(f"{str(path)!r} is no file of Datumaro: {error!r} is missing or wrong.") from error
            classes = Classes.besides_background(labels) if has_background else Classes(tuple(labels))
            for item in items:
                yield _annotated(path, item, labels, classes)


def _head(classes: Classes) -> Record:
    """All but the items."""
    colours = list(enumerate(palette(len(classes.named) + 1)[1:]))
    labels = [{"name": label, "parent": "", "attributes": []} for label in classes.named.values()]
    return {
        "dm_format_version": "1.0",
        "media_type": IMAGE,
        "infos": {"has_background": classes.has_background},
        "categories": {
            "label": {"labels": labels, "label_groups": [], "attributes": []},
            "mask": {"colormap": [{"label_id": one, "r": r, "g": g, "b": b} for one, (r, g, b) in colours]},
        },
    }


def _masks(segmentation: Segmentation, numbers: dict[int, int]) -> Iterator[Record]:
    for index, shape in run_lengths.encoded_numbers(segmentation.class_map):
        if index in numbers:
            yield {
                "id": numbers[index],
                "type": "mask",
                "attributes": {"score": round(float(segmentation.scores[index]), 6)},
                "group": 0,
                "label_id": numbers[index],
                "rle": shape,
                "z_order": 0,
            }


def _annotated(path: Path, item: Any, labels: list[str], classes: Classes) -> AnnotatedPhoto:
    """A picture. Raises `DatasetError`."""
    try:
        image, areas = item.get("image") or {}, [one for one in item["annotations"] if one["type"] not in WITHOUT_AREA]
        height, width = image.get("size") or next(one["rle"]["size"] for one in areas if "rle" in one)
        canvas = Canvas(classes, (int(width), int(height)))
        for one in areas:
            index = classes.labels.index(labels[one["label_id"]])
            score = float((one.get("attributes") or {}).get("score", 1.0))
            canvas.place(Region(index, *_box(one, canvas.size)), score, one.get("z_order") or 0)
        return canvas.annotated(image.get("path") or item["id"])
    except StopIteration:
        why = 'it has no "size"'
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        why = repr(error)
    name = item.get("id") if isinstance(item, dict) else item
    raise DatasetError(f"{str(path)!r}: the item {name!r} is malformed ({why}): export it again.")


def _box(annotation: Record, size: Size) -> tuple[int, int, Bool[np.ndarray, "h w"]]:
    """Its pixels: left, top and mask of their box. Raises `ValueError`, `KeyError` or `TypeError`."""
    if annotation["type"] == "mask":
        return run_lengths.decoded_box(annotation["rle"], size)
    if annotation["type"] == "polygon":
        return filled([np.array(annotation["points"], np.float64).reshape(-1, 2)], size)
    if annotation["type"] == "bbox":
        x, y, width, height = map(float, annotation["bbox"])
        return filled([np.array([(x, y), (x + width, y), (x + width, y + height), (x, y + height)])], size)
    raise ValueError(f"an annotation of the unknown type {annotation['type']!r}")
