"""All formats by name."""

from __future__ import annotations

from zeroseg.formats.coco_instances import CocoInstances, CocoPolygons
from zeroseg.formats.coco_panoptic import CocoPanoptic
from zeroseg.formats.coco_semantic import CocoSemantic
from zeroseg.formats.cvat import Cvat
from zeroseg.formats.datumaro import Datumaro
from zeroseg.formats.format import DatasetFormat, PictureFormat
from zeroseg.formats.geojson import GeoJson
from zeroseg.formats.geotiff import GeoTiff
from zeroseg.formats.label_studio import LabelStudio
from zeroseg.formats.labelme import LabelMe
from zeroseg.formats.numpy_file import NumpyFile
from zeroseg.formats.png import IndexPng, VocPng
from zeroseg.formats.yolo import Yolo

PICTURE_FORMATS: dict[str, PictureFormat] = {
    kind.name: kind()
    for kind in (VocPng, IndexPng, NumpyFile, GeoJson, GeoTiff, LabelMe, Yolo)
}  # fmt: skip
"""One file for each picture."""

DATASET_FORMATS: dict[str, DatasetFormat] = {
    kind.name: kind()
    for kind in (CocoInstances, CocoPolygons, CocoSemantic, CocoPanoptic, Datumaro, LabelStudio, Cvat)
}  # fmt: skip
"""One data set for all pictures."""
