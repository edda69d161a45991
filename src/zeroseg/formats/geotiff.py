"""GeoTIFF: pixel values are indices of labels, on the same place of the map as the picture.

Format: https://gdal.org/en/stable/drivers/raster/gtiff.html. Written and read by rasterio, which is an extra.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from zeroseg.drawing import palette
from zeroseg.errors import DatasetError
from zeroseg.formats.annotated import AnnotatedPhoto, Classes, Size
from zeroseg.formats.format import PictureFormat
from zeroseg.formats.georeference import place_of, quiet, require_rasterio
from zeroseg.formats.png import IN_A_BYTE
from zeroseg.segmentation import Segmentation

OURS = "zeroseg"  # the space of names of our tags


class GeoTiff(PictureFormat):
    """One band ("geotiff") of eight bits with a colour table; more than 256 labels: of 16 bits, without colours.

    Of a picture without a place on the map it is a plain TIFF. The labels are a tag of the band, "labels", as JSON; our
    own tags, in the space of names "zeroseg", have all that a segmentation has.
    """

    name: ClassVar[str] = "geotiff"
    suffix: ClassVar[str] = ".tif"
    on_map: ClassVar[bool] = True

    def encode(self, annotated: AnnotatedPhoto) -> bytes:
        """See `PictureFormat`. Raises `OutputError` if rasterio is not installed."""
        rasterio, found = require_rasterio(), annotated.segmentation
        width, height = found.size
        in_a_byte = len(found.labels) <= IN_A_BYTE
        profile: dict[str, Any] = {"driver": "GTiff", "width": width, "height": height, "count": 1}
        profile |= {"dtype": "uint8" if in_a_byte else "uint16", "compress": "deflate"}
        if annotated.georeference is not None:
            profile["transform"] = rasterio.Affine(*annotated.georeference.transform)
            profile["crs"] = annotated.georeference.crs or None
        with quiet(), rasterio.MemoryFile() as file:
            with file.open(**profile) as tiff:
                tiff.write(found.class_map.astype(profile["dtype"], copy=False), 1)
                if in_a_byte:
                    tiff.write_colormap(1, dict(enumerate(palette(len(found.labels)))))
                tiff.set_band_description(1, "label")
                tiff.update_tags(1, labels=json.dumps(found.labels))
                tiff.update_tags(ns=OURS, **_tags(annotated))
            return file.read()

    def companions(self, classes: Classes) -> Mapping[str, bytes]:
        """None. Raises `OutputError` if rasterio is not installed, before the first picture is made."""
        require_rasterio()
        return super().companions(classes)

    def decode(self, content: bytes, classes: Classes, size: Size) -> AnnotatedPhoto:
        """See `PictureFormat`. The labels are those of the file, if it is ours."""
        rasterio = require_rasterio(DatasetError)
        try:
            with quiet(), rasterio.MemoryFile(content) as file, file.open(driver="GTiff") as tiff:
                if (tiff.width, tiff.height, tiff.count) != (*size, 1) or tiff.dtypes[0] not in {"uint8", "uint16"}:
                    raise ValueError("not one band of whole numbers of the picture's size")
                class_map, tags = tiff.read(1), tiff.tags(ns=OURS)
                place = place_of(tiff)
            if not tags:
                found = classes.segmentation(_checked(class_map, classes))
            else:
                labels, scores = tuple(json.loads(tags["labels"])), np.array(json.loads(tags["scores"]), np.float32)
                found = Segmentation(labels, class_map, scores, tags["has_background"] == "true")
            photo = json.loads(tags.get("photo", '""'))
        except (rasterio.errors.RasterioError, ValueError, KeyError, TypeError) as error:
            raise DatasetError(f"a GeoTIFF is damaged or no mask of its picture ({error}): write it again.") from error
        return AnnotatedPhoto(photo, found, place)


def _tags(annotated: AnnotatedPhoto) -> dict[str, str]:
    """All but the pixels. JSON in ASCII: not every version of GDAL keeps all letters."""
    found = annotated.segmentation
    values = {
        "labels": found.labels,
        "scores": found.scores.tolist(),
        "has_background": found.has_background,
        "photo": annotated.photo,
    }
    return {name: json.dumps(value) for name, value in values.items()}


def _checked(class_map: np.ndarray, classes: Classes) -> np.ndarray:
    if class_map.max() >= len(classes.labels):
        raise ValueError(f"the number {class_map.max()}, of which there is no label")
    return class_map.astype(np.uint16)
