"""All formats by name."""

from __future__ import annotations

from zeroseg.formats.coco_instances import CocoInstances, CocoPolygons
from zeroseg.formats.format import DatasetFormat, PictureFormat
from zeroseg.formats.numpy_file import NumpyFile
from zeroseg.formats.png import IndexPng, VocPng

PICTURE_FORMATS: dict[str, PictureFormat] = {kind.name: kind() for kind in (VocPng, IndexPng, NumpyFile)}
"""One file for each picture."""

DATASET_FORMATS: dict[str, DatasetFormat] = {kind.name: kind() for kind in (CocoInstances, CocoPolygons)}
"""One data set for all pictures."""
