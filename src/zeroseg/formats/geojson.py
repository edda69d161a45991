"""GeoJSON: every connected area of a label as a polygon with its holes, for maps and GIS.

Format: https://www.rfc-editor.org/rfc/rfc7946. Coordinates are those of the map if the picture is a GeoTIFF, else
pixels from its upper left corner, of which y runs downwards. As the standard asks, exteriors run counter-clockwise and
holes clockwise, if x runs to the right and y upwards: on a screen, where pixels run downwards, exteriors run clockwise.

Map coordinates stay in the system of the picture, which the member "crs" names, as GeoJSON had it before 2016 and as
GDAL and QGIS read it (https://geojson.org/geojson-spec.html#coordinate-reference-system-objects).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from zeroseg.errors import DatasetError
from zeroseg.files import finite_json
from zeroseg.formats.annotated import AnnotatedPhoto, Classes, Region, Size, regions
from zeroseg.formats.canvas import Canvas
from zeroseg.formats.format import PictureFormat
from zeroseg.formats.georeference import Georeference
from zeroseg.formats.outlines import filled, outline

DEGREES = "EPSG:4326"  # whose order is latitude, longitude: GeoJSON has its own name for the other order
LONGITUDE_FIRST = "urn:ogc:def:crs:OGC:1.3:CRS84"


class GeoJson(PictureFormat):
    """A FeatureCollection ("geojson") with label, index, score, fraction and pixels of each area.

    Its further members, which other tools may drop: photo, width, height; for map coordinates also transform.
    """

    name: ClassVar[str] = "geojson"
    suffix: ClassVar[str] = ".geojson"
    on_map: ClassVar[bool] = True

    def encode(self, annotated: AnnotatedPhoto) -> bytes:
        """See `PictureFormat`. `pixels` is the number of an area's pixels, `fraction` that of the picture's."""
        (width, height), place = annotated.segmentation.size, annotated.georeference
        head: dict[str, Any] = {"type": "FeatureCollection", "photo": annotated.photo, "width": width, "height": height}
        if place is not None:
            head |= {"transform": place.transform} | _named(place.crs)
        features = ",\n".join(json.dumps(one, ensure_ascii=False) for one in _features(annotated))
        return f'{json.dumps(head, ensure_ascii=False)[:-1]}, "features": [\n{features}\n]}}\n'.encode()

    def decode(self, content: bytes, classes: Classes, size: Size) -> AnnotatedPhoto:
        """See `PictureFormat`; also several polygons in a feature. Of the properties, only the label must be there."""
        try:
            values = finite_json(content.decode("utf-8-sig"))
            if not isinstance(values, dict):
                raise ValueError("no collection of features")
            place = _place(values)
            canvas = Canvas(classes, size)
            for feature in values["features"]:
                properties, shape = feature["properties"], feature["geometry"]
                index = classes.labels.index(properties["label"])
                for polygon in _polygons(shape):
                    rings = [_in_pixels(ring, place) for ring in polygon]
                    canvas.place(Region(index, *filled(rings, size)), float(properties.get("score", 1.0)))
            annotated = canvas.annotated(values.get("photo", ""))
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise DatasetError(
                f"a GeoJSON file is not one of labelled polygons in this picture ({error!r}): write it again."
            ) from error
        return AnnotatedPhoto(annotated.photo, annotated.segmentation, place)


def _features(annotated: AnnotatedPhoto) -> Iterator[dict[str, Any]]:
    segmentation, place = annotated.segmentation, annotated.georeference
    for region in regions(segmentation):
        border = outline(region.mask).moved(region.left, region.top)
        properties = {
            "label": segmentation.labels[region.index],
            "index": region.index,
            "score": round(float(segmentation.scores[region.index]), 6),
            "fraction": region.area / segmentation.class_map.size,
            "pixels": region.area,
        }
        rings = [_closed(ring, place) for ring in (border.exterior, *border.holes)]
        shape = {"type": "Polygon", "coordinates": rings}
        yield {"type": "Feature", "properties": properties, "geometry": shape}


def _closed(ring: np.ndarray, place: Georeference | None) -> list[list[float]]:
    """A ring as GeoJSON has it, with its first corner at its end again."""
    if place is not None:
        ring = place.on_map(ring[::-1] if place.mirrors else ring)
    return np.concatenate([ring, ring[:1]]).tolist()


def _polygons(shape: dict[str, Any]) -> list[Any]:
    """The polygons of a geometry. Raises `ValueError` for one without an area."""
    if shape["type"] not in {"Polygon", "MultiPolygon"}:
        raise ValueError(f"a {shape['type']}, which has no area")
    return [shape["coordinates"]] if shape["type"] == "Polygon" else shape["coordinates"]


def _in_pixels(ring: Any, place: Georeference | None) -> Float[np.ndarray, "N 2"]:
    corners = np.array(ring, np.float64)[:-1, :2]  # a third number is a height
    return corners if place is None else place.in_picture(corners)


def _named(crs: str) -> dict[str, Any]:
    """The member "crs"."""
    if not crs:
        return {}
    number = crs.removeprefix("EPSG:")
    name = LONGITUDE_FIRST if crs == DEGREES else f"urn:ogc:def:crs:EPSG::{number}" if number != crs else crs
    return {"crs": {"type": "name", "properties": {"name": name}}}


def _place(values: dict[str, Any]) -> Georeference | None:
    """The place that the members of a file name. Raises `ValueError` for map coordinates that fit to no pixels."""
    if "transform" not in values:
        if "crs" in values:
            raise ValueError('map coordinates ("crs"), but no "transform" to pixels')
        return None
    name = values["crs"]["properties"]["name"] if "crs" in values else ""
    crs = DEGREES if name == LONGITUDE_FIRST else name.replace("urn:ogc:def:crs:EPSG::", "EPSG:")
    return Georeference.of(values["transform"], crs)
