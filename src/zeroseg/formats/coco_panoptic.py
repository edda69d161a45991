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
from jaxtyping import Int, UInt8
from PIL import Image

from zeroseg.drawing import palette
from zeroseg.errors import DatasetError
from zeroseg.files import write_bytes_atomically
from zeroseg.formats.annotated import AnnotatedPhoto, Classes, label_areas
from zeroseg.formats.coco import Document, Record, category_ids, document, image_record, read_document
from zeroseg.formats.distinct_names import DistinctNames
from zeroseg.formats.format import DatasetFormat

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
                numbers = _numbers(folder / FOLDER / entries[0]["file_name"])
                annotated = _annotated(image, entries[0]["segments_info"], numbers, found)
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


def _numbers(path: Path) -> Int[np.ndarray, "H W"]:
    """The number of the segment of every pixel. Raises `OSError`, `SyntaxError` or `ValueError`."""
    with Image.open(path, formats=("PNG",)) as picture:
        if picture.mode not in {"RGB", "RGBA"}:
            raise ValueError(f"{str(path)!r} has no colours, which are the numbers of segments")
        colours: UInt8[np.ndarray, "H W _"] = np.asarray(picture)
    numbers = colours[..., 2].astype(np.int32)
    for channel in (1, 0):
        numbers <<= 8
        numbers |= colours[..., channel]
    return numbers


def _annotated(image: Record, segments: list[Any], numbers: Int[np.ndarray, "H W"], found: Document) -> AnnotatedPhoto:
    """The picture. Raises `ValueError`, `KeyError` or `TypeError`."""
    size = numbers.shape[::-1]
    if (image.get("width", size[0]), image.get("height", size[1])) != size:
        raise ValueError(f"its PNG has {size[0]} x {size[1]} pixels, not {image['width']} x {image['height']}")
    after = np.zeros(COLOURS, np.int32)  # the index of each number's label, plus 1
    after[0] = found.classes.has_background
    scores = {0: 1.0} if found.classes.has_background else {}
    for segment in segments:
        index = found.index_of[segment["category_id"]]
        after[segment["id"]] = index + 1
        scores[index] = min(max(float(segment.get("score", 1.0)), 0.0), 1.0)
    indices = after[numbers]
    if not indices.all():
        raise ValueError(f"its PNG has the segment {numbers[indices == 0][0]}, which the JSON does not name")
    indices -= 1
    return AnnotatedPhoto(image["file_name"], found.classes.segmentation(indices.astype(np.uint16), scores))
