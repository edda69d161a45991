"""YOLO's polygons by the documentation of Ultralytics, filled by pycocotools; `data.yaml` by PyYAML."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import yaml
from answer import answer, painted, polygon_mask
from PIL import Image


def read(folder: Path) -> Iterator[tuple[str, np.ndarray, list[str]]]:
    """The photos in `images/`; their text files are in `labels/`, in the same tree."""
    values = yaml.safe_load((folder / "data.yaml").read_text(encoding="utf-8"))
    for photo in sorted((folder / values["train"]).rglob("*.jpg")):
        name = photo.relative_to(folder / values["train"])
        size, areas = Image.open(photo).size, []
        for line in (folder / "labels" / name.with_suffix(".txt")).read_text(encoding="utf-8").splitlines():
            number, *places = line.split()
            corners = np.array(places, float).reshape(-1, 2)
            if corners.min() < 0 or corners.max() > 1:
                raise ValueError("a corner outside of the picture")
            areas.append((values["names"][int(number)], polygon_mask(corners * size, size)))
        yield str(name), *painted(size, areas)


answer(read)
