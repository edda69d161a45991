"""The masks of COCO's instances: polygons and run lengths, decoded by pycocotools.

Some annotations are not masks: polygons with fewer than three corners (tools write such points and lines when they
simplify an outline), which are dropped; and boxes without a mask, which cannot be measured.

Letters: H W pixels.
"""

from __future__ import annotations

import warnings
from importlib import import_module
from types import ModuleType
from typing import Any, cast

import numpy as np
from jaxtyping import Bool

from zeroseg.errors import DatasetError
from zeroseg.evaluation.coco_file import Record, finite

FARTHEST = 1_000_000  # pixels: the memory of pycocotools grows with the length of every edge
FEWEST_COORDINATES = 6  # of a polygon; pycocotools would read four numbers as a box


def mask_api() -> ModuleType:
    """The module of pycocotools. Raises a `DatasetError` that names the extra if it is not installed."""
    try:
        return import_module("pycocotools.mask")
    except ImportError as error:
        raise DatasetError('COCO\'s instances are decoded by pycocotools: pip install "zeroseg[coco]".') from error


def has_no_pixels(annotation: Record) -> bool:
    """Whether an annotation is an object without any pixel: none of its polygons has three corners.

    An empty list of polygons counts if no area and no box says that the object has pixels. A box without a mask does
    not count: its pixels are unknown.
    """
    segmentation = annotation.get("segmentation")
    if not isinstance(segmentation, list):
        return False
    parts = _parts(cast("list[Any]", segmentation))
    if not parts:
        return not (_positive(annotation.get("area")) or _has_box(annotation))
    is_degenerate = all(isinstance(part, list) and len(cast("list[Any]", part)) < FEWEST_COORDINATES for part in parts)
    return is_degenerate and not _is_the_box(annotation)


def decoded(annotation: Record, shape: tuple[int, ...], api: ModuleType) -> Bool[np.ndarray, "H W"]:
    """A mask from polygons, or from run lengths, compressed (a string) or not (a list).

    Raises `ValueError` for a box without a mask; for other bad masks pycocotools raises many kinds of errors.
    """
    segmentation = annotation.get("segmentation")
    height, width = shape
    if segmentation in (None, [], "", {}) or _is_the_box(annotation):
        raise ValueError("a box alone" if _has_box(annotation) else "nothing is drawn")
    if isinstance(segmentation, list):
        parts = [[finite(number) for number in part] for part in _parts(cast("list[Any]", segmentation))]
        polygons = [part for part in parts if len(part) >= FEWEST_COORDINATES]
        if any(len(part) % 2 for part in polygons):
            raise ValueError("a polygon with an odd number of coordinates")
        if any(abs(number) > FARTHEST for part in polygons for number in part):
            raise ValueError(f"a corner more than {FARTHEST:,} pixels away")
        encoded = api.merge(api.frPyObjects(polygons, height, width))
    else:
        encoded = _run_lengths(cast("Record", segmentation), api)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # pycocotools' arrays lack numpy 2's `copy`
        mask = api.decode(encoded).astype(bool)
    if mask.shape != shape:
        raise ValueError(f"a mask of {mask.shape[1]} x {mask.shape[0]} pixels")
    return mask


def _run_lengths(segmentation: Record, api: ModuleType) -> Any:
    """Run lengths as pycocotools decodes them. It does not check their sum: pixels after the last run are random."""
    height, width = (int(finite(side)) for side in segmentation["size"])
    counts = segmentation["counts"]
    runs = decompressed(counts) if isinstance(counts, str) else [int(finite(count)) for count in counts]
    if min(runs, default=0) < 0 or sum(runs) != height * width:
        raise ValueError(f"run lengths of {sum(runs)} pixels for {width} x {height}")
    return api.frPyObjects({"size": [height, width], "counts": runs}, height, width)


def decompressed(counts: str) -> list[int]:
    """The run lengths in COCO's compressed text: `rleFrString` of its maskApi.c.

    A character is 48 + 6 bits: 5 bits of a number, the lowest first, and a bit that says whether more follow. Numbers
    have a sign. From the fourth on they are differences to the run two before. Raises `ValueError` for other text.
    """
    runs: list[int] = []
    number = bits = 0
    for character in counts:
        code = ord(character) - 48
        if not 0 <= code < 64:
            raise ValueError(f"{character!r} in compressed run lengths")
        number |= (code & 31) << bits
        bits += 5
        if code & 32:
            continue
        if code & 16:
            number -= 1 << bits
        runs.append(number + (runs[-2] if len(runs) > 2 else 0))
        number = bits = 0
    if bits:
        raise ValueError("compressed run lengths that are cut off")
    return runs


def _parts(segmentation: list[Any]) -> list[Any]:
    """The polygons; some tools write a single one without a list around it."""
    flat = bool(segmentation) and not any(isinstance(part, list) for part in segmentation)
    return [segmentation] if flat else [part for part in segmentation if part != []]


def _is_the_box(annotation: Record) -> bool:
    """Whether the only polygon is the four numbers of the box: left, top, width, height."""
    segmentation = annotation.get("segmentation")
    return isinstance(segmentation, list) and _parts(cast("list[Any]", segmentation)) == [annotation.get("bbox")]


def _has_box(annotation: Record) -> bool:
    box = annotation.get("bbox")
    return isinstance(box, list) and len(cast("list[Any]", box)) == 4 and all(map(_positive, box[2:]))


def _positive(number: Any) -> bool:
    try:
        return finite(number) > 0
    except (TypeError, ValueError):
        return False
