"""GeoTIFF with rasterio: the pixels, and the labels in the band's tags."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import rasterio
from answer import answer
from rasterio.errors import NotGeoreferencedWarning


def read(folder: Path) -> Iterator[tuple[str, np.ndarray, list[str]]]:
    """The masks in the tree of the photos."""
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    for path in sorted(folder.rglob("*.tif")):
        with rasterio.open(path) as tiff:
            yield f"{path.relative_to(folder).with_suffix('')}.jpg", tiff.read(1), json.loads(tiff.tags(1)["labels"])


answer(read)
