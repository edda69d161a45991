"""Where a picture lies on the map, as a GeoTIFF states it.

A point of the picture, in pixels from its upper left corner, is at x = a column + b row + c, y = d column + e row + f
of the coordinate system; a pixel covers the square between whole numbers. The six numbers are in rasterio's order
(https://rasterio.readthedocs.io/en/stable/topics/georeferencing.html).

Letters: N points.
"""

from __future__ import annotations

import warnings
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from jaxtyping import Float, Real
from PIL import ExifTags, Image

from zeroseg.errors import ImageError, OutputError, ZeroSegError
from zeroseg.images.opening import pillow_limit_lifted

MAP_TAGS = frozenset({33550, 34264})  # of GeoTIFF: the size of a pixel, or all of the transform
NORMAL = 1  # of TIFF's orientation: the first row is the upper one, the first column the left one


@dataclass(frozen=True)
class Georeference:
    """The place of a picture on the map.

    Attributes:
        transform: the six numbers a, b, c, d, e, f of the module's docstring.
        crs: the coordinate system: "EPSG:32632" where it has such a number, else its description as WKT, "" if unknown.

    Raises:
        ValueError: if the transform maps the picture to a line.
    """

    transform: tuple[float, float, float, float, float, float]
    crs: str = ""

    def __post_init__(self) -> None:
        """Check the transform."""
        if not np.isfinite(self.transform).all() or not self._determinant:
            raise ValueError(f"a transform must be six numbers that can be inverted, not {self.transform}.")

    @classmethod
    def of(cls, numbers: Iterable[float], crs: str) -> Georeference:
        """From any six numbers."""
        a, b, c, d, e, f = map(float, numbers)
        return cls((a, b, c, d, e, f), crs)

    @property
    def _determinant(self) -> float:
        a, b, _, d, e, _ = self.transform
        return a * e - b * d

    @property
    def mirrors(self) -> bool:
        """Whether what runs clockwise in columns and rows runs the other way round on the map, as in most GeoTIFFs."""
        return self._determinant < 0

    def on_map(self, points: Real[np.ndarray, "N 2"]) -> Float[np.ndarray, "N 2"]:
        """Columns and rows as x and y."""
        a, b, c, d, e, f = self.transform
        return points @ np.array([[a, d], [b, e]]) + (c, f)

    def in_picture(self, points: Real[np.ndarray, "N 2"]) -> Float[np.ndarray, "N 2"]:
        """X and y as columns and rows."""
        a, b, c, d, e, f = self.transform
        return (points - (c, f)) @ np.array([[e, -d], [-b, a]]) / self._determinant


def read_georeference(path: Path) -> Georeference | None:
    """The place of a GeoTIFF; None for a picture without one, and for one that is stored turned.

    Raises `ImageError` if a GeoTIFF cannot be read, or if it needs rasterio, which is not installed.
    """
    if not _is_on_map(path):
        return None
    rasterio = require_rasterio(ImageError)
    try:
        with quiet(), rasterio.open(path) as file:
            return place_of(file)
    except (rasterio.errors.RasterioError, ValueError) as error:
        raise ImageError(f"the place of {str(path)!r} on the map cannot be read ({error}).") from error


def place_of(file: Any) -> Georeference | None:
    """The place of a picture that rasterio has opened; None if it has none."""
    if file.transform.is_identity:
        return None
    return Georeference.of(file.transform[:6], file.crs.to_string() if file.crs else "")


def _is_on_map(path: Path) -> bool:
    """Whether a file is a TIFF with a place on the map, and shown as it is stored: of this GDAL says nothing."""
    try:
        with pillow_limit_lifted(), Image.open(path, formats=("TIFF",)) as picture:
            tags = picture.getexif()
            return not MAP_TAGS.isdisjoint(tags) and tags.get(ExifTags.Base.Orientation, NORMAL) == NORMAL
    except (OSError, ValueError, SyntaxError):  # of another format
        return False


def require_rasterio(kind: type[ZeroSegError] = OutputError) -> ModuleType:
    """The package rasterio. Raises `kind` with the command that installs it."""
    try:
        import rasterio
    except ImportError as error:
        raise kind('GeoTIFF needs rasterio: pip install "zeroseg[geo]".') from error
    return rasterio


@contextmanager
def quiet() -> Generator[None]:
    """Without rasterio's warning that a picture has no place on the map, which is no fault."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Dataset has no geotransform")
        yield
