"""Segmentations in the formats of other tools, and back: one adapter a file."""

from zeroseg.formats.annotated import AnnotatedPhoto, Classes, Region, regions
from zeroseg.formats.by_name import DATASET_FORMATS, PICTURE_FORMATS
from zeroseg.formats.format import DatasetFormat, PictureFormat

__all__ = [
    "DATASET_FORMATS", "PICTURE_FORMATS", "AnnotatedPhoto", "Classes", "DatasetFormat", "PictureFormat", "Region",
    "regions",
]  # fmt: skip
