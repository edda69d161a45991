"""Label Studio's tasks with its SDK: the config and every prediction must be valid, masks are the alpha channel."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
from answer import answer, painted
from label_studio_sdk.converter.brush import decode_rle
from label_studio_sdk.label_interface import LabelInterface


def read(folder: Path) -> Iterator[tuple[str, np.ndarray, list[str]]]:
    """The predictions of `tasks.json`, by the labels of `label_config.xml`."""
    config = LabelInterface((folder / "label_config.xml").read_text(encoding="utf-8"))
    for task in json.loads((folder / "tasks.json").read_text(encoding="utf-8")):
        (prediction,) = task["predictions"]
        if prediction["result"] and (wrong := config.validate_prediction(prediction, return_errors=True)):
            raise ValueError(f"not valid: {wrong}")
        areas = []
        for result in prediction["result"]:
            shape = result["original_height"], result["original_width"], 4
            mask = decode_rle(result["value"]["rle"]).reshape(shape)[..., 3] > 0
            areas.append((result["value"]["brushlabels"][0], mask))
        (photo,) = parse_qs(urlsplit(task["data"]["image"]).query)["d"]
        yield photo, *painted((task["meta"]["width"], task["meta"]["height"]), areas)


answer(read)
