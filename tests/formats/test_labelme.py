"""LabelMe's files: what LabelMe itself writes is read, and what is malformed is refused."""

from __future__ import annotations

import base64
import json
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.formats.pictures import CLASSES, RING, annotated
from zeroseg.errors import DatasetError
from zeroseg.formats import PICTURE_FORMATS, AnnotatedPhoto

KIND = PICTURE_FORMATS["labelme"]


def png(mask: np.ndarray) -> str:
    """A mask as LabelMe keeps it."""
    buffer = BytesIO()
    Image.fromarray(mask.astype(np.uint8) * 255).save(buffer, format="PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def shape(kind: str | None, points: list[Any], label: str = "dog", **others: object) -> dict[str, Any]:
    """A shape without the keys that are optional."""
    return {"label": label, "points": points, "shape_type": kind, **others}


def read(*shapes: dict[str, Any], size: tuple[int, int] = (5, 4), **changes: object) -> AnnotatedPhoto:
    """A file with these shapes."""
    values = {"version": "4.5.6", "shapes": shapes, "imagePath": "..\\photos\\dog.jpg", "imageData": "AAAA", **changes}
    return KIND.decode(json.dumps(values).encode(), CLASSES, size)


def test_files_are_like_those_of_labelme() -> None:
    """All keys that it writes, a path in its own folder, closed polygons without a repeated corner."""
    values = json.loads(KIND.encode(annotated(RING, CLASSES)))
    assert values["version"].startswith("5.")
    assert (values["imagePath"], values["imageData"], values["flags"]) == ("b.jpg", None, {})
    assert (values["imageHeight"], values["imageWidth"]) == (5, 5)
    ring, island = values["shapes"]
    assert island["points"] == [[2, 2], [3, 2], [3, 3], [2, 3]]
    assert {**ring, "points": []} == {
        "label": "dog", "points": [], "group_id": None, "description": "", "shape_type": "polygon", "flags": {},
        "mask": None, "score": 0.5,
    }  # fmt: skip


DIAMOND = [[0.7, 2], [2.5, 0.2], [4.3, 2], [2.5, 3.8]]
ANY = np.array([[1, 0, 1], [0, 1, 1]])


@pytest.mark.parametrize(
    ("drawn", "expected"),
    [
        (shape("polygon", [[1, 0], [3.6, 0], [3.6, 2], [1, 2]]), ["01110", "01110", "00000", "00000"]),
        (shape(None, [[1, 0], [3, 0], [3, 2], [1, 2]]), ["01100", "01100", "00000", "00000"]),
        (shape("rectangle", [[4.2, 3], [1, 1]]), ["00000", "01110", "01110", "00000"]),
        (shape("rectangle", [[-9, -9], [99, 1.6]]), ["11111", "11111", "00000", "00000"]),
        (shape("oriented_rectangle", DIAMOND), ["00100", "01110", "01110", "00100"]),
        (shape("circle", [[2.5, 1.5], [2.5, 2.6]]), ["00100", "01110", "00100", "00000"]),
        (shape("mask", [[1, 1], [3, 2]], mask=png(ANY)), ["00000", "01010", "00110", "00000"]),
        (shape("mask", [[-1, 3], [1, 4]], mask=png(ANY)), ["00000", "00000", "00000", "01000"]),
        (shape("mask", [[9, 9], [9, 9]], mask=png(np.array([[1]]))), ["00000", "00000", "00000", "00000"]),
        (shape("point", [[1, 1]]), ["00000", "00000", "00000", "00000"]),
        (shape("linestrip", [[1, 1], [2, 2]], label="unknown"), ["00000", "00000", "00000", "00000"]),
    ],
)  # fmt: skip
def test_shapes_of_labelme(drawn: dict[str, Any], expected: list[str]) -> None:
    """A pixel is within if its centre is; what is outside of the picture is left out; older versions lack keys."""
    found = read(drawn)
    assert ["".join(map(str, row)) for row in found.segmentation.class_map.tolist()] == expected
    assert found.photo == "../photos/dog.jpg"


def test_small_shapes_lie_on_large_ones() -> None:
    """In any order; LabelMe's own name of the background is understood."""
    large, small = shape("rectangle", [[0, 0], [5, 4]]), shape("rectangle", [[1, 1], [2, 2]], label="cat")
    hole = shape("rectangle", [[3, 1], [4, 3]], label="_background_")
    for shapes in ((large, small, hole), (hole, small, large)):
        assert read(*shapes).segmentation.class_map.tolist() == [[1] * 5, [1, 2, 1, 0, 1], [1, 1, 1, 0, 1], [1] * 5]


@pytest.mark.parametrize(
    ("shapes", "changes", "why"),
    [
        ([shape("polygon", [[1, 1]], label="cow")], {}, "not in tuple"),
        ([shape("star", [[1, 1]])], {}, "unknown type 'star'"),
        ([shape("polygon", [])], {}, "without corners"),
        ([shape("polygon", [[1, 2, 3]])], {}, "cannot reshape"),
        ([shape("polygon", ["x"])], {}, "could not convert"),
        ([shape("circle", [[1, 1]])], {}, "a circle without"),
        ([shape("mask", [[1, 1], [2, 2]])], {}, "KeyError..mask"),
        ([shape("mask", [[1, 1], [2, 2]], mask="no base64")], {}, "base64|padding"),
        ([shape("mask", [[1, 1], [2, 2]], mask="AAAA")], {}, "cannot identify"),
        ([shape("mask", [[1, 1], [2, 2]], mask=png(np.zeros((2, 2, 3))))], {}, "several channels"),
        ([{"points": []}], {}, "KeyError..label"),
        (["text"], {}, "no attribute"),
        ([], {"imageWidth": 7}, "a picture of 7 x 4 pixels, not 5 x 4"),
        ([], {"shapes": None}, "not iterable"),
        ([], {"imagePath": None}, "no attribute"),
    ],
)
def test_malformed_files_are_refused(shapes: list[Any], changes: dict[str, Any], why: str) -> None:
    """In one sentence."""
    with pytest.raises(DatasetError, match=f"a LabelMe file is malformed or of another picture .*({why})"):
        read(*shapes, **changes)


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b'{"shapes": [], "imagePath": "x", "imageWidth": NaN}'])
def test_what_is_no_labelme_file_is_refused(content: bytes) -> None:
    """No JSON, or another one."""
    with pytest.raises(DatasetError, match="a LabelMe file is malformed"):
        KIND.decode(content, CLASSES, (5, 4))
