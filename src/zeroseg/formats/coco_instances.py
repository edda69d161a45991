"""COCO instances: every connected area of a label is an object, as run lengths or as polygons.

A hole of a polygon is reached on a line there and back (`outlines.Outline.keyholed`): COCO's polygons have no holes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Bool

from zeroseg.errors import DatasetError
from zeroseg.formats import run_lengths
from zeroseg.formats.annotated import AnnotatedPhoto, Classes, Region, Size, regions
from zeroseg.formats.canvas import Canvas
from zeroseg.formats.coco import category_ids, document, image_record, read_document
from zeroseg.formats.format import DatasetFormat
from zeroseg.formats.outlines import filled, outline
from zeroseg.segmentation import Segmentation

FILE = "annotations.json"


class CocoInstances(DatasetFormat):
    """`annotations.json` with run lengths ("coco"), which every reader of COCO decodes to the same pixels."""

    name: ClassVar[str] = "coco"

    def write(self, folder: Path, classes: Classes, pictures: Iterable[AnnotatedPhoto]) -> None:
        """See `DatasetFormat`. The score of an object is that of its label in the picture."""
        numbers, count = category_ids(classes), 0
        with document(folder / FILE, classes) as append:
            for image, annotated in enumerate(pictures, 1):
                append("images", image_record(image, annotated))
                for region, shape in self.shapes(annotated.segmentation):
                    count += 1
                    entry = {
                        "id": count,
                        "image_id": image,
                        "category_id": numbers[region.index],
                        "segmentation": shape,
                        "area": region.area,
                        "bbox": list(region.box),
                        "iscrowd": 0,
                        "score": round(float(annotated.segmentation.scores[region.index]), 6),
                    }
                    append("annotations", entry)

    def read(self, folder: Path) -> Iterator[AnnotatedPhoto]:
        """See `DatasetFormat`; also polygons and run lengths of other tools."""
        path = folder / FILE
        found = read_document(path)
        for image, areas in found.pictures:
            try:
                canvas = Canvas(found.classes, (int(image["width"]), int(image["height"])))
                for annotation in areas:
                    index, score = found.index_of[annotation["category_id"]], float(annotation.get("score", 1.0))
                    for box in boxes_of(annotation["segmentation"], canvas.size):
                        canvas.place(Region(index, *box), score)
                annotated = canvas.annotated(image["file_name"])
            except (KeyError, TypeError, ValueError, IndexError) as error:
                raise DatasetError(f"{str(path)!r}: the picture {image.get('file_name')!r}: {error}.") from error
            yield annotated

    def shapes(self, segmentation: Segmentation) -> Iterator[tuple[Region, object]]:
        """What becomes an annotation each, with its value of "segmentation" in the JSON."""
        for region in regions(segmentation):
            yield region, run_lengths.encoded(region.mask, region.left, region.top, segmentation.size)


class CocoPolygons(CocoInstances):
    """The same with polygons ("coco-polygons"), which tools for drawing can change."""

    name: ClassVar[str] = "coco-polygons"

    def shapes(self, segmentation: Segmentation) -> Iterator[tuple[Region, object]]:
        """One polygon each, with its holes."""
        for region in regions(segmentation):
            ring = outline(region.mask).moved(region.left, region.top).keyholed
            yield region, [ring.ravel().tolist()]


def boxes_of(shape: Any, size: Size) -> Iterator[tuple[int, int, Bool[np.ndarray, "h w"]]]:
    """The pixels of COCO's polygons or run lengths: left, top and mask of a box for each.

    Raises `ValueError`, `KeyError` or `TypeError`.
    """
    if isinstance(shape, dict):
        yield run_lengths.decoded_box(shape, size)
    else:
        for polygon in shape:
            yield filled([np.array(polygon, np.float64).reshape(-1, 2)], size)
