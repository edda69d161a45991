"""`supervision.Detections` and back (https://supervision.roboflow.com/latest/detection/core/): one for each region."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from zeroseg.errors import ConfigError
from zeroseg.formats.annotated import Classes, Size, regions
from zeroseg.formats.canvas import Canvas
from zeroseg.segmentation import Segmentation

if TYPE_CHECKING:
    from supervision import Detections


def to_supervision(segmentation: Segmentation) -> Detections:
    """The regions of a segmentation, without the background.

    `xyxy` are the first and the last column and row, as in supervision. `class_id` is the index of the label, which is
    `data["class_name"]`; `confidence` is its score. `mask` [N H W] takes a byte for each pixel of each region.

    Raises `ConfigError` if supervision is missing.
    """
    try:
        from supervision import Detections
    except ImportError as error:
        raise ConfigError('Detections need supervision: pip install "zeroseg[supervision]".') from error
    found, (width, height) = list(regions(segmentation)), segmentation.size
    masks = np.zeros((len(found), height, width), bool)
    for mask, region in zip(masks, found, strict=True):
        left, top, across, down = region.box
        mask[top : top + down, left : left + across] = region.mask
    boxes = np.array([region.box for region in found], np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2] - 1
    class_ids = np.array([region.index for region in found], np.intp)
    names = np.array([segmentation.labels[index] for index in class_ids], str)
    scores = segmentation.scores[class_ids].astype(np.float32)
    return Detections(xyxy=boxes, mask=masks, confidence=scores, class_id=class_ids, data={"class_name": names})


def from_supervision(detections: Any, classes: Classes, size: Size) -> Segmentation:
    """Detections with masks as a segmentation: what no mask covers is background; small ones lie on large ones.

    A label is looked up by `data["class_name"]`, or if there is none, `class_id` is its index in `classes`. `size`:
    width and height of the picture. Raises `ValueError` for detections without masks or labels, for masks of another
    size, for unknown labels, and for pixels without a label where `classes` have no background.
    """
    canvas = Canvas(classes, size)
    count = len(detections.xyxy)
    if count and (detections.mask is None or detections.class_id is None):
        raise ValueError("the detections have no masks, or no labels.")
    names = detections.data.get("class_name")
    for number in range(count):
        index = int(detections.class_id[number]) if names is None else classes.labels.index(str(names[number]))
        score = 1.0 if detections.confidence is None else float(detections.confidence[number])
        canvas.add(index, np.asarray(detections.mask[number], bool), score)
    return canvas.annotated("").segmentation
