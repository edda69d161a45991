"""COCO-Stuff: one annotation for each label of a picture, as run lengths.

Format: https://cocodataset.org/#format-data, "Stuff Segmentation".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from zeroseg.formats import run_lengths
from zeroseg.formats.annotated import Region, label_areas
from zeroseg.formats.coco_instances import CocoInstances
from zeroseg.segmentation import Segmentation


class CocoSemantic(CocoInstances):
    """`annotations.json` ("coco-semantic"), in which all pixels of a label are one annotation."""

    name: ClassVar[str] = "coco-semantic"

    def shapes(self, segmentation: Segmentation) -> Iterator[tuple[Region, object]]:
        """See `CocoInstances`."""
        encoded = dict(run_lengths.encoded_numbers(segmentation.class_map))
        for area in label_areas(segmentation):
            yield area, encoded[area.index]
