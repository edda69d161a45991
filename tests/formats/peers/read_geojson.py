"""GeoJSON with shapely, which checks the polygons, and rasterio (GDAL), which fills them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from answer import answer, painted
from rasterio.features import geometry_mask
from rasterio.transform import IDENTITY
from shapely.geometry import shape


def read(folder: Path) -> Iterator[tuple[str, np.ndarray, list[str]]]:
    """The pictures, whose polygons must be valid, with exteriors counter-clockwise, and of the stated area."""
    for path in sorted(folder.rglob("*.geojson")):
        values = json.loads(path.read_text(encoding="utf-8"))
        size = values["height"], values["width"]
        areas = []
        for feature in values["features"]:
            polygon = shape(feature["geometry"])
            clockwise = [not polygon.exterior.is_ccw, *(hole.is_ccw for hole in polygon.interiors)]
            if not polygon.is_valid or any(clockwise) or polygon.area != feature["properties"]["pixels"]:
                raise ValueError(f"a polygon is not valid: {polygon}")
            mask = geometry_mask([feature["geometry"]], size, IDENTITY, invert=True)
            areas.append((feature["properties"]["label"], mask))
        yield values["photo"], *painted(size[::-1], areas)


answer(read)
