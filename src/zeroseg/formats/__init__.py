"""Segmentations in the formats of other tools, and back: one adapter a file."""

from zeroseg.formats.annotated import AnnotatedPhoto, Classes, Region, regions
from zeroseg.formats.by_name import DATASET_FORMATS, PICTURE_FORMATS
from zeroseg.formats.fiftyone_labels import from_fiftyone, mask_targets, to_fiftyone
from zeroseg.formats.format import DatasetFormat, PictureFormat
from zeroseg.formats.records import Record, from_records, to_records
from zeroseg.formats.supervision_detections import from_supervision, to_supervision

__all__ = [
    "DATASET_FORMATS", "PICTURE_FORMATS", "AnnotatedPhoto", "Classes", "DatasetFormat", "PictureFormat", "Record",
    "Region", "from_fiftyone", "from_records", "from_supervision", "mask_targets", "regions", "to_fiftyone",
    "to_records", "to_supervision",
]  # fmt: skip
