"""The list that pipelines of `transformers` return for image segmentation: one record for each label of a picture.

https://huggingface.co/docs/transformers/main_classes/pipelines, `ImageSegmentationPipeline`
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypedDict

import numpy as np
from PIL import Image

from zeroseg.formats.annotated import Classes, Size
from zeroseg.formats.canvas import Canvas
from zeroseg.segmentation import Segmentation

INSIDE = 255


class Record(TypedDict):
    """A label, its score, and a picture in mode "L": 255 where the label is, else 0."""

    score: float
    label: str
    mask: Image.Image


def to_records(segmentation: Segmentation) -> list[Record]:
    """A record for each label that occurs, but the background, in the order of the labels."""
    named = Classes.of(segmentation).named
    return [
        {
            "score": float(segmentation.scores[index]),
            "label": label,
            "mask": Image.fromarray((segmentation.class_map == index).astype(np.uint8) * INSIDE),
        }
        for index, label in named.items()
        if segmentation.fractions[index] > 0
    ]


def from_records(records: Iterable[Mapping[str, Any]], classes: Classes, size: Size) -> Segmentation:
    """The segmentation of records: what no mask covers is background; small masks lie on large ones.

    A score of None, which panoptic models give, is 1. `size`: width and height of the picture. Raises `ValueError` for
    masks of another size, for unknown labels, and for pixels without a label where `classes` have no background.
    """
    canvas = Canvas(classes, size)
    for record in records:
        score = 1.0 if record["score"] is None else float(record["score"])
        canvas.add(classes.labels.index(record["label"]), np.asarray(record["mask"]) > 0, score)
    return canvas.annotated("").segmentation
