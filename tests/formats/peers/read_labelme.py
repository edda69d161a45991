"""LabelMe's polygons, filled by pycocotools: LabelMe itself also draws their edges, a pixel more on some sides."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from answer import answer, painted, polygon_mask


def read(folder: Path) -> Iterator[tuple[str, np.ndarray, list[str]]]:
    """The JSON files in the tree of the photos."""
    for path in sorted(folder.rglob("*.json")):
        values = json.loads(path.read_text(encoding="utf-8"))
        size = values["imageWidth"], values["imageHeight"]
        areas = [(shape["label"], polygon_mask(np.array(shape["points"]), size)) for shape in values["shapes"]]
        yield str(path.relative_to(folder).with_name(values["imagePath"])), *painted(size, areas)


answer(read)
