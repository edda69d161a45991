"""LabelMe: a JSON file beside the photo, with a polygon for every connected area of a label.

Format: what LabelMe 5 loads and saves, https://github.com/wkentaro/labelme, `LabelFile`. Its polygons have no holes: a
hole is reached on a line there and back (`outlines.Outline.keyholed`).

Letters: H W pixels of the picture, h w those of a box.
"""

from __future__ import annotations

import base64
import binascii
import json
from io import BytesIO
from pathlib import PurePosixPath
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Bool, Float
from PIL import Image

from zeroseg.errors import DatasetError
from zeroseg.files import finite_json
from zeroseg.formats.annotated import AnnotatedPhoto, Classes, Region, Size, regions
from zeroseg.formats.canvas import Canvas
from zeroseg.formats.format import PictureFormat
from zeroseg.formats.outlines import filled, outline

VERSION = "5.5.0"  # LabelMe warns of files of another major version
WITHOUT_AREA = frozenset({"point", "points", "line", "linestrip"})
NO_LABEL = "_background_"  # what LabelMe calls the background

Box = tuple[int, int, Bool[np.ndarray, "h w"]]  # left, top, mask


class LabelMe(PictureFormat):
    """One JSON file a photo ("labelme"); LabelMe expects it in the photo's folder, with the photo's name."""

    name: ClassVar[str] = "labelme"
    suffix: ClassVar[str] = ".json"

    def encode(self, annotated: AnnotatedPhoto) -> bytes:
        """See `PictureFormat`. "score" is a value of ours, which LabelMe keeps."""
        segmentation, shapes = annotated.segmentation, list[dict[str, Any]]()
        for region in regions(segmentation):
            ring = outline(region.mask).moved(region.left, region.top).keyholed
            shape = {
                "label": segmentation.labels[region.index],
                "points": ring.tolist(),
                "group_id": None,
                "description": "",
                "shape_type": "polygon",
                "flags": {},
                "mask": None,
                "score": round(float(segmentation.scores[region.index]), 6),
            }
            shapes.append(shape)
        width, height = segmentation.size
        values = {
            "version": VERSION,
            "flags": {},
            "shapes": shapes,
            "imagePath": PurePosixPath(annotated.photo).name,
            "imageData": None,
            "imageHeight": height,
            "imageWidth": width,
        }
        return f"{json.dumps(values, ensure_ascii=False)}\n".encode()

    def decode(self, content: bytes, classes: Classes, size: Size) -> AnnotatedPhoto:
        """See `PictureFormat`; also rectangles, circles and masks. Points and lines, which have no area, are left out.

        A pixel belongs to a shape if its centre does. The photo's name has no folder.
        """
        try:
            values = finite_json(content.decode("utf-8-sig"))
            stated = values.get("imageWidth") or size[0], values.get("imageHeight") or size[1]
            if stated != size:
                raise ValueError(f"a picture of {stated[0]} x {stated[1]} pixels, not {size[0]} x {size[1]}")
            canvas = Canvas(classes, size)
            for shape in values["shapes"]:
                if shape.get("shape_type") not in WITHOUT_AREA:
                    index = _index(shape["label"], classes)
                    canvas.place(Region(index, *_box(shape, size)), float(shape.get("score", 1.0)))
            return canvas.annotated(values["imagePath"].replace("\\", "/"))
        except (KeyError, TypeError, ValueError, AttributeError, OSError, SyntaxError, binascii.Error) as error:
            raise DatasetError(
                f"a LabelMe file is malformed or of another picture ({error!r}): save it in LabelMe again."
            ) from error


def _index(label: str, classes: Classes) -> int:
    return 0 if label == NO_LABEL and classes.has_background else classes.labels.index(label)


def _box(shape: dict[str, Any], size: Size) -> Box:
    """The pixels of a shape. Raises `ValueError`, `KeyError` or `TypeError`, for a mask also `OSError`."""
    kind, corners = shape.get("shape_type") or "polygon", np.array(shape["points"], np.float64).reshape(-1, 2)
    if kind == "mask":
        return _mask(shape["mask"], corners, size)
    if kind == "circle":
        if len(corners) != 2:
            raise ValueError("a circle without a centre and a point on it")
        return _circle(corners, size)
    if kind == "rectangle":
        (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
        corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
    elif kind not in {"polygon", "oriented_rectangle"}:
        raise ValueError(f"a shape of the unknown type {kind!r}")
    return filled([corners], size)


def _mask(text: str, corners: Float[np.ndarray, "_ 2"], size: Size) -> Box:
    """A PNG as base64, whose upper left pixel is the first corner; what is outside of the picture is left out."""
    with Image.open(BytesIO(base64.b64decode(text, validate=True)), formats=("PNG",)) as picture:
        mask = np.asarray(picture) > 0
    if mask.ndim != 2:
        raise ValueError("a mask with several channels")
    x, y = np.rint(corners[0]).astype(int).tolist()
    left, top = min(max(x, 0), size[0]), min(max(y, 0), size[1])
    return left, top, mask[top - y : max(size[1] - y, 0), left - x : max(size[0] - x, 0)]


def _circle(corners: Float[np.ndarray, "2 2"], size: Size) -> Box:
    """A centre, and a point on the circle."""
    centre, radius = corners[0], float(np.hypot(*(corners[1] - corners[0])))
    left, top = np.clip(np.floor(centre - radius), 0, size).astype(int).tolist()
    right, bottom = np.clip(np.ceil(centre + radius), 0, size).astype(int).tolist()
    across, down = np.arange(left, right) + 0.5 - centre[0], np.arange(top, bottom) + 0.5 - centre[1]
    return left, top, np.hypot(across, down[:, None]) <= radius
