"""COCO panoptic: a JSON file, and a PNG for each picture whose colours are numbers of segments.

The number of a segment is R + 256 G + 65536 B, and 0 is no segment (https://cocodataset.org/#format-data, "Panoptic
Segmentation"; https://github.com/cocodataset/panopticapi, `rgb2id`). A label is one segment of a picture: all are
stuff (isthing 0), because objects are not counted.

Letters: H W pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Int, UInt8, UInt16
from PIL import Image

from zeroseg.drawing import palette
from zeroseg.errors import DatasetError
from zeroseg.files import write_bytes_atomically
from zeroseg.formats.annotated import ROWS, AnnotatedPhoto, Classes, Size, label_areas
from zeroseg.formats.coco import Document, Record, category_ids, document, image_record, read_document
from zeroseg.formats.distinct_names import DistinctNames
from zeroseg.formats.format import DatasetFormat
from zeroseg.images.opening import pillow_limit_lifted

FILE, FOLDER = "panoptic.json", "panoptic"
COLOURS = 1 << 24


class CocoPanoptic(DatasetFormat):
    """`panoptic.json`, and `panoptic/` with the PNGs in the tree of the photos ("coco-panoptic")."""

    name: ClassVar[str] = "coco-panoptic"

    def write(self, folder: Path, classes: Classes, pictures: Iterable[AnnotatedPhoto]) -> None:
        """See `DatasetFormat`. A segment has the number of its category."""
        numbers, names, colours = category_ids(classes), DistinctNames(), palette(len(classes.labels) + 1)

        def of_category(index: int) -> Record:
            return {"isthing": 0, "color": list(colours[numbers[index]])}

        with document(folder / FILE, classes, of_category) as append:
            for image, annotated in enumerate(pictures, 1):
                name = f"{names.of(annotated.photo)}.png"
                write_bytes_atomically(folder / FOLDER / name, _png(annotated, numbers))
                append("images", image_record(image, annotated))
                segments = list(_segments(annotated, numbers))
                append("annotations", {"image_id": image, "file_name": name, "segments_info": segments})

    def read(self, folder: Path) -> Iterator[AnnotatedPhoto]:
        """See `DatasetFormat`; segments of one category become one label."""
        path = folder / FILE
        found = read_document(path)
        for image, entries in found.pictures:
            try:
                if len(entries) != 1:
                    raise ValueError(f"{len(entries)} annotations in place of one")
                png = folder / FOLDER / entries[0]["file_name"]
                annotated = _annotated(png, image, entries[0]["segments_info"], found)
            except (KeyError, TypeError, ValueError, SyntaxError, OSError) as error:
                raise DatasetError(f"{str(path)!r}: the picture {image.get('file_name')!r}: {error}.") from error
            yield annotated


def _png(annotated: AnnotatedPhoto, numbers: dict[int, int]) -> bytes:
    of_label = np.array([numbers.get(index, 0) for index in range(len(annotated.segmentation.labels))])
    colours = np.stack([of_label & 255, of_label >> 8 & 255, of_label >> 16], axis=1).astype(np.uint8)
    buffer = BytesIO()
    Image.fromarray(colours[annotated.segmentation.class_map]).save(buffer, format="PNG")
    return buffer.getvalue()


def _segments(annotated: AnnotatedPhoto, numbers: dict[int, int]) -> Iterator[Record]:
    for area in label_areas(annotated.segmentation):
        yield {
            "id": numbers[area.index],
            "category_id": numbers[area.index],
            "area": area.area,
            "bbox": list(area.box),
            "iscrowd": 0,
            "score": round(float(annotated.segmentation.scores[area.index]), 6),
        }


def _annotated(path: Path, image: Record, segments: list[Any], found: Document) -> AnnotatedPhoto:
    """The picture of a PNG. Raises `OSError`, `SyntaxError`, `ValueError`, `KeyError` or `TypeError`."""
    after = np.zeros(COLOURS, np.int32)  # the index of each number's label, plus 1
    after[0] = found.classes.has_background
    scores = {0: 1.0} if found.classes.has_background else {}
    for segment in segments:
        index, number = found.index_of[segment["category_id"]], int(segment["id"])
        if not 0 < number < COLOURS:
            raise ValueError(f"a segment with the number {number}, which is no colour")
        after[number] = index + 1
        scores[index] = min(max(float(segment.get("score", 1.0)), 0.0), 1.0)
    class_map = _class_map(path, (image["width"], image["height"]), after)
    return AnnotatedPhoto(image["file_name"], found.classes.segmentation(class_map, scores))


def _class_map(path: Path, size: Size, after: Int[np.ndarray, " _"]) -> UInt16[np.ndarray, "H W"]:
    """The class map of a PNG of this size. Raises `OSError`, `SyntaxError` or `ValueError`."""
    with pillow_limit_lifted(), Image.open(path, formats=("PNG",)) as picture:
        if picture.mode not in {"RGB", "RGBA"} or picture.size != size:
            raise ValueError(f"{str(path)!r} is not of the picture's size, or has no colours that number segments")
        colours: UInt8[np.ndarray, "H W _"] = np.asarray(picture)
    class_map = np.zeros(colours.shape[:2], np.uint16)
    for top in range(0, len(colours), ROWS):
        strip = colours[top : top + ROWS].astype(np.int32)
        numbers = strip[..., 0] | strip[..., 1] << 8 | strip[..., 2] << 16
        indices = after[numbers]
        if not indices.all():
            raise ValueError(f"{str(path)!r} has the segment {numbers[indices == 0][0]}, which the JSON does not name")
        class_map[top : top + ROWS] = indices - 1
    return class_map
