"""GeoJSON and GeoTIFF: places on the map, directions of rings, and what other tools write."""

from __future__ import annotations

import json
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rasterio.features
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from PIL import Image, TiffImagePlugin, TiffTags

from tests.formats.pictures import CASES, CLASSES, RING, Drawings, annotated, built, drawings
from zeroseg.errors import DatasetError, ImageError, OutputError
from zeroseg.formats import PICTURE_FORMATS, AnnotatedPhoto
from zeroseg.formats.georeference import Georeference, read_georeference

UTM = Georeference((10.0, 0.0, 500_000.0, 0.0, -10.0, 5_200_000.0), "EPSG:32632")
PLACES = {
    "UTM": UTM,
    "degrees": Georeference((1e-5 / 3, 0.0, 11.0, 0.0, -1e-5 / 3, 48.0), "EPSG:4326"),
    "turned": Georeference((0.5, 0.2, 4e6, 0.2, -0.5, 3e6), "EPSG:3035"),
    "rows run upwards": Georeference((2.0, 0.0, 0.5, 0.0, 2.0, 0.5), "EPSG:32632"),
    "no coordinate system": Georeference((2.0, 0.0, 0.5, 0.0, -2.0, 0.5)),
}


def placed(class_map: np.ndarray, place: Georeference | None) -> AnnotatedPhoto:
    """A picture on the map."""
    one = annotated(class_map, CLASSES)
    return AnnotatedPhoto(one.photo, one.segmentation, place)


def features(one: AnnotatedPhoto) -> dict[str, Any]:
    """The values of the GeoJSON file."""
    return json.loads(PICTURE_FORMATS["geojson"].encode(one))


def turns(ring: list[list[float]]) -> float:
    """Twice the area of a closed ring: positive if it runs counter-clockwise for y upwards."""
    return sum(x * below - right * y for (x, y), (right, below) in pairwise(ring))


@pytest.mark.parametrize("name", ["geojson", "geotiff"])
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("case", ["holes with an island", "areas that touch at a corner", "none of the labels"])
def test_pixels_and_place_are_kept(name: str, place: Georeference, case: str) -> None:
    """Also through degrees, whose numbers are not exact."""
    one, kind = placed(CASES[case][1], place), PICTURE_FORMATS[name]
    read = kind.decode(kind.encode(one), CLASSES, one.segmentation.size)
    assert (read.segmentation.class_map == one.segmentation.class_map).all()
    assert read.georeference == place
    assert read.photo == one.photo
    assert read.segmentation.scores[1:] == pytest.approx(one.segmentation.scores[1:])


@given(st.tuples(*[st.floats(-1e5, 1e5, allow_subnormal=False)] * 6))
@settings(deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
def test_map_coordinates_lead_back_to_pixels(numbers: tuple[float, ...]) -> None:
    """Any transform of a sensible size."""
    a, b, _, d, e, _ = numbers
    assume(abs(a * e - b * d) > max(1e-9, 1e-3 * max(map(abs, numbers)) ** 2))
    place, corners = Georeference.of(numbers, ""), np.array([[0, 0], [7, 3], [4000, 3000]])
    assert np.abs(place.in_picture(place.on_map(corners)) - corners).max() < 1e-3
    assert np.allclose(place.on_map(corners), [rasterio.Affine(*numbers) @ tuple(corner) for corner in corners])


@pytest.mark.parametrize("place", [None, *PLACES.values()], ids=["pixels", *PLACES])
def test_exteriors_run_counter_clockwise(place: Georeference | None) -> None:
    """As numbers, with y upwards; holes run the other way round, and rings are closed."""
    for feature in features(placed(RING, place))["features"]:
        exterior, *holes = feature["geometry"]["coordinates"]
        assert turns(exterior) > 0
        assert all(turns(hole) < 0 for hole in holes)
        assert all(ring[0] == ring[-1] for ring in (exterior, *holes))


def test_rings_are_those_that_rasterio_fills() -> None:
    """Its rasterize and ours give the same pixels, on the map."""
    one = placed(RING, UTM)
    shapes = [(feature["geometry"], feature["properties"]["index"]) for feature in features(one)["features"]]
    filled = rasterio.features.rasterize(shapes, RING.shape, transform=rasterio.Affine(*UTM.transform))
    assert np.array_equal(filled, RING)


def test_properties_state_what_was_found() -> None:
    """Label, index, score, the area's pixels and their fraction of the picture."""
    values = features(placed(RING, UTM))
    assert values["crs"] == {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32632"}}
    assert [feature["properties"] for feature in values["features"]] == [
        {"label": "dog", "index": 1, "score": 0.5, "fraction": 16 / 25, "pixels": 16},
        {"label": "dog", "index": 1, "score": 0.5, "fraction": 1 / 25, "pixels": 1},
    ]


SQUARE = [[1, 0], [3, 0], [3, 2.4], [1, 2.4], [1, 0]]


def collection(geometry: object, label: object = "cat", **others: object) -> bytes:
    """A file of another tool with one feature."""
    feature = {"type": "Feature", "properties": {"label": label}, "geometry": geometry}
    return json.dumps({"type": "FeatureCollection", "features": [feature], **others}).encode()


def test_geojson_of_other_tools() -> None:
    """Several polygons in a feature, heights, no further members, no score."""
    high = [[x, y, 300.5] for x, y in SQUARE]
    content = collection({"type": "MultiPolygon", "coordinates": [[high], [[[0, 3], [1, 3], [1, 4], [0, 3]]]]})
    read = PICTURE_FORMATS["geojson"].decode(content, CLASSES, (4, 4)).segmentation
    assert read.class_map.tolist() == [[0, 2, 2, 0], [0, 2, 2, 0], [0, 0, 0, 0], [2, 0, 0, 0]]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"{", "Expecting"),
        (b"[]", "no collection"),
        (b"{}", "features"),
        (b"\xff\xfe", "invalid start byte"),
        (collection({"type": "Point", "coordinates": [1, 2]}), "Point, which has no area"),
        (collection({"type": "Polygon", "coordinates": []}), "without corners"),
        (collection({"type": "Polygon", "coordinates": [SQUARE]}, label="cow"), "not in"),
        (collection({"type": "Polygon", "coordinates": [["a"]]}), "could not convert"),
        (collection({"type": "Polygon", "coordinates": [SQUARE]}, crs={"properties": {"name": "x"}}), "no .transform"),
        (collection({"type": "Polygon", "coordinates": [SQUARE]}, transform=[0] * 6), "inverted"),
        (collection({"type": "Polygon", "coordinates": [SQUARE]}, transform=[1, 0]), "unpack"),
    ],
)  # fmt: skip
def test_malformed_geojson_is_refused(content: bytes, why: str) -> None:
    """In one sentence."""
    with pytest.raises(DatasetError, match=why):
        PICTURE_FORMATS["geojson"].decode(content, CLASSES, (4, 4))


def test_geotiffs_have_colours_and_labels_for_other_tools(tmp_path: Path) -> None:
    """What rasterio, and so GDAL, shows."""
    (tmp_path / "mask.tif").write_bytes(PICTURE_FORMATS["geotiff"].encode(placed(RING, UTM)))
    with rasterio.open(tmp_path / "mask.tif") as tiff:
        assert (tiff.read(1) == RING).all()
        assert (tiff.crs.to_epsg(), tiff.dtypes, tiff.descriptions) == (32632, ("uint8",), ("label",))
        assert tiff.transform == rasterio.Affine(*UTM.transform)
        assert tiff.colormap(1)[1][:3] == (128, 0, 0)
        assert json.loads(tiff.tags(1)["labels"]) == ["background", "dog", "cat"]
    assert read_georeference(tmp_path / "mask.tif") == UTM
    with Image.open(tmp_path / "mask.tif") as picture:
        assert np.array_equal(np.asarray(picture), RING)


def plain_tiff(values: np.ndarray) -> bytes:
    """A TIFF of another tool."""
    with rasterio.MemoryFile() as file:
        height, width = values.shape
        with file.open(driver="GTiff", width=width, height=height, count=1, dtype=values.dtype, crs="EPSG:4326",
                       transform=rasterio.Affine(*UTM.transform)) as tiff:  # fmt: skip
            tiff.write(values, 1)
        return file.read()


def test_tiffs_of_other_tools() -> None:
    """The labels are then those that are given."""
    kind = PICTURE_FORMATS["geotiff"]
    read = kind.decode(plain_tiff(RING.astype(np.uint8)), CLASSES, (5, 5))
    assert (read.segmentation.class_map == RING).all()
    assert read.segmentation.labels == CLASSES.labels
    for content in (b"no tiff", plain_tiff(RING.astype(np.float32)), plain_tiff((RING * 9).astype(np.uint8))):
        with pytest.raises(DatasetError, match="a GeoTIFF is damaged or no mask of its picture"):
            kind.decode(content, CLASSES, (5, 5))


def test_pictures_without_a_place(tmp_path: Path) -> None:
    """A plain picture has none; one that is shown turned would have another; what is no picture is reported."""
    Image.new("RGB", (3, 2)).save(tmp_path / "plain.tif")
    assert read_georeference(tmp_path / "plain.tif") is None
    Image.new("RGB", (3, 2)).save(tmp_path / "plain.jpg")
    assert read_georeference(tmp_path / "plain.jpg") is None
    exif, tags = Image.Exif(), {33550: (10.0, 10.0, 0.0), 33922: (0.0, 0.0, 0.0, 5e5, 5e6, 0.0)}
    for orientation, there in ((1, True), (6, False)):
        exif[274] = orientation
        for tag, value in tags.items():
            exif[tag] = value
        Image.new("RGB", (3, 2)).save(tmp_path / "turned.tif", exif=exif)
        assert (read_georeference(tmp_path / "turned.tif") is not None) == there
    (tmp_path / "text.tif").write_text("no picture")
    assert read_georeference(tmp_path / "text.tif") is None


def geotiff(path: Path, transform: tuple[float, ...]) -> Path:
    """A TIFF with the 16 numbers of a transform as a tag."""
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags.tagtype[34264] = TiffTags.DOUBLE
    tags[34264] = transform
    Image.new("RGB", (3, 2)).save(path, tiffinfo=tags)
    return path


def test_transforms_of_geotiffs(tmp_path: Path) -> None:
    """Also turned ones; one that cannot be is refused."""
    place = read_georeference(geotiff(tmp_path / "a.tif", (0, 2.0, 0, 7, 3, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1)))
    assert place == Georeference((0, 2, 7, 3, 0, 8))
    with pytest.raises(ImageError, match=r"a.tif' on the map cannot be read \(a transform must be six numbers"):
        read_georeference(geotiff(tmp_path / "a.tif", (0.0,) * 16))


def test_without_rasterio_a_sentence_names_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """GeoJSON, and pictures without a place on the map, do not need it."""
    geotiff(tmp_path / "photo.tif", (0, 2.0, 0, 7, 3, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1))
    Image.new("RGB", (3, 2)).save(tmp_path / "plain.tif")
    monkeypatch.setitem(sys.modules, "rasterio", None)
    with pytest.raises(OutputError, match=r'pip install "zeroseg\[geo\]"'):
        PICTURE_FORMATS["geotiff"].encode(placed(RING, None))
    with pytest.raises(OutputError, match=r'pip install "zeroseg\[geo\]"'):
        PICTURE_FORMATS["geotiff"].companions(CLASSES)
    with pytest.raises(ImageError, match=r'pip install "zeroseg\[geo\]"'):
        read_georeference(tmp_path / "photo.tif")
    assert read_georeference(tmp_path / "plain.tif") is None
    assert features(placed(RING, UTM))["transform"] == [*UTM.transform]


@given(drawn=drawings())
@settings(max_examples=20, deadline=None)
def test_any_picture_on_the_map(drawn: Drawings) -> None:
    """Blocks and noise, in degrees."""
    kind = PICTURE_FORMATS["geojson"]
    for one in built(drawn)[1]:
        classes = built(drawn)[0]
        content = kind.encode(AnnotatedPhoto(one.photo, one.segmentation, PLACES["degrees"]))
        read = kind.decode(content, classes, one.segmentation.size)
        assert (read.segmentation.class_map == one.segmentation.class_map).all()
