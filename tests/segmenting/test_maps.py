"""Photos on the map: formats for maps get the place of each GeoTIFF, and those for training their own folders."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import rasterio
from PIL import Image, TiffImagePlugin, TiffTags

from tests.tiny import PATCH_STUDENT, student, teacher
from zeroseg.formats.georeference import read_georeference
from zeroseg.images import search_images
from zeroseg.segmenter import Segmenter
from zeroseg.segmenting import Outcome, Run, Settings, SharedFiles, Wanted
from zeroseg.vocabulary import Vocabulary

VOCABULARY = Vocabulary(("dog", "grass"))
NORTH_UP = (2.0, 0, 0, 500.0, 0, -2.0, 0, 900.0, 0, 0, 0, 0, 0, 0, 0, 1)  # 2 a pixel, from (500, 900) on


def save(path: Path, transform: tuple[float, ...]) -> None:
    """A GeoTIFF with the 16 numbers of its transform."""
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags.tagtype[34264] = TiffTags.DOUBLE
    tags[34264] = transform
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 32), (90, 140, 60)).save(path, tiffinfo=tags)


def segment(folder: Path, out: Path, *formats: str) -> list[Outcome]:
    """A run of a small random network."""
    segmenter = Segmenter.of(student(PATCH_STUDENT), teacher())
    run = Run(segmenter, VOCABULARY, out, Settings.of(segmenter, VOCABULARY, {}), Wanted(formats))
    found = search_images([folder]).pictures
    SharedFiles(out, run.settings, run.wanted, found).begin()
    return list(run.outcomes(found))


def test_results_lie_where_their_photos_do(tmp_path: Path) -> None:
    """At once, and when the formats are made of results that stand."""
    save(tmp_path / "photos" / "field.tif", NORTH_UP)
    for formats in ((), ("geotiff", "geojson")):
        (one,) = segment(tmp_path / "photos", tmp_path / "later", *formats)
        assert one.error is None
    segment(tmp_path / "photos", tmp_path / "now", "geotiff", "geojson")
    for out in (tmp_path / "now", tmp_path / "later"):
        assert read_georeference(out / "geotiff" / "field.tif") == read_georeference(tmp_path / "photos" / "field.tif")
        with rasterio.open(out / "geotiff" / "field.tif") as mask:
            assert mask.bounds == (500, 836, 580, 900)
        values = json.loads((out / "geojson" / "field.geojson").read_text(encoding="utf-8"))
        assert values["transform"] == [2, 0, 500, 0, -2, 900]


def test_a_place_that_cannot_be_is_reported_with_its_photo(tmp_path: Path) -> None:
    """Other photos, and other formats, do not suffer."""
    save(tmp_path / "photos" / "a.tif", (0.0,) * 16)
    save(tmp_path / "photos" / "b.tif", NORTH_UP)
    bad, good = segment(tmp_path / "photos", tmp_path / "out", "geojson")
    assert "a.tif' on the map cannot be read" in str(bad.error)
    assert good.error is None
    assert [one.error for one in segment(tmp_path / "photos", tmp_path / "others", "yolo")] == [None, None]


@pytest.mark.parametrize("folder", ["", "deep/er"])
def test_yolo_has_the_folders_that_ultralytics_expects(tmp_path: Path, folder: str) -> None:
    """`labels` beside `data.yaml`, with the tree of the photos in it."""
    save(tmp_path / "photos" / folder / "a.tif", NORTH_UP)
    segment(tmp_path / "photos", tmp_path / "out", "yolo")
    assert (tmp_path / "out" / "yolo" / "data.yaml").exists()
    assert (tmp_path / "out" / "yolo" / "labels" / folder / "a.txt").exists()
