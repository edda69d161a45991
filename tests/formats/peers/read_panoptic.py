"""COCO panoptic by its definition: colours are R + 256 G + 65536 B, 0 is no segment (panopticapi's rgb2id)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from answer import answer, painted
from PIL import Image


def read(folder: Path) -> Iterator[tuple[str, np.ndarray, list[str]]]:
    """The pictures of `panoptic.json`; every number of a PNG must be a segment of the JSON, and the other way round."""
    values = json.loads((folder / "panoptic.json").read_text(encoding="utf-8"))
    names = {category["id"]: category["name"] for category in values["categories"]}
    entries = {entry["image_id"]: entry for entry in values["annotations"]}
    for image in values["images"]:
        entry = entries[image["id"]]
        colours = np.asarray(Image.open(folder / "panoptic" / entry["file_name"])).astype(np.int64)
        numbers = colours[..., 0] + 256 * colours[..., 1] + 65536 * colours[..., 2]
        segments = {segment["id"]: segment for segment in entry["segments_info"]}
        if set(np.unique(numbers).tolist()) - {0} != set(segments):
            raise ValueError("the PNG has other segments than the JSON")
        areas = [(names[segment["category_id"]], numbers == number) for number, segment in segments.items()]
        for (_, mask), segment in zip(areas, segments.values(), strict=True):
            if mask.sum() != segment["area"]:
                raise ValueError("an area is wrong")
        yield image["file_name"], *painted((image["width"], image["height"]), areas)


answer(read)
