"""Data sets in the JSON of COCO: instances (polygons, run lengths), and panoptic segments (with a folder of PNGs).

annotations/instances_val2017.json with the images in val2017/ or images/val2017/, and annotations/panoptic_val2017.json
with its PNGs in annotations/panoptic_val2017/. Somebody's own data in the same forms: instances.json, panoptic.json
with its PNGs in panoptic/, images/. Classes are the JSON's categories, by their names, in the order of their ids.

- Instances become a class map as on a canvas: crowds first, then objects, small ones over large ones. Where nothing is,
  there is background (class 0). pycocotools, an extra (`coco`), decodes the masks.
- Panoptic segments have all categories, crowds too, and no background; number 0 (void) is ignored.

Letters: H W pixels.
"""

from __future__ import annotations

import json
import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from jaxtyping import Bool, UInt8

from zeroseg.errors import DatasetError, ImageError
from zeroseg.evaluation.class_names import ClassNames, names_from
from zeroseg.evaluation.download import Download
from zeroseg.evaluation.labelled_images import Item, LabelledImages
from zeroseg.evaluation.masks import Numbering
from zeroseg.evaluation.metrics import IGNORE
from zeroseg.images import load_image

REMEDY = "get the data at https://cocodataset.org/#download"
FEWEST_COORDINATES = 6  # of a polygon; pycocotools would take four numbers for a box
Record = dict[str, Any]  # an object in the JSON


@dataclass(frozen=True)
class _Annotations:
    """A JSON file: images by their file names, in order, with sizes (height, width) and annotations; classes."""

    download: Download
    path: Path
    images: Mapping[str, Path]
    sizes: Mapping[str, tuple[int, int]]
    of_image: Mapping[str, Sequence[Record]]
    names: ClassNames
    places: Mapping[int, int]  # of the categories' ids among the names

    def class_of(self, record: Record, first: int) -> int:
        """The class of an annotation or segment, where classes count from `first`."""
        category: Any = record.get("category_id")
        if category not in self.places:
            raise DatasetError(
                f"{str(self.path)!r} has no category {category!r}, but something of it in an image: mend the file."
            )
        return first + self.places[category]


def open_coco_instances(folder: Path, split: str = "val", size: int | None = None) -> LabelledImages:
    """The split's first `size` images by file name, or all. Raises `DatasetError` for what is missing."""
    masks = _mask_api()
    found = _read("instances", folder, split)
    items = [
        Item(name, found.images[name], found.path, partial(_painted, found, name, masks))
        for name in list(found.images)[:size]
    ]
    return LabelledImages("coco-instances", found.names, True, items)


def open_coco_panoptic(folder: Path, split: str = "val", size: int | None = None) -> LabelledImages:
    """The split's first `size` images by file name, or all. Raises `DatasetError` for what is missing."""
    found = _read("panoptic", folder, split)
    pngs = found.path.with_suffix("")
    try:
        masks = {
            name: pngs / annotation["file_name"]
            for name, annotations in found.of_image.items()
            for annotation in annotations
        }
    except (KeyError, TypeError) as error:
        raise _malformed(found.path, error) from error
    present = {name for name, mask in masks.items() if mask.is_file()}
    found.download.expect("masks", list(found.images), present)
    items = [
        Item(name, found.images[name], masks[name], partial(_read_segments, found, name, masks[name]))
        for name in list(found.images)[:size]
    ]
    return LabelledImages("coco-panoptic", found.names, False, items)


# --- the JSON -----------------------------------------------------------------------------------


def _read(kind: str, folder: Path, split: str) -> _Annotations:
    download = Download(f"coco-{kind}", folder, REMEDY)
    official, own = f"annotations/{kind}_{split}2017.json", f"{kind}.json"
    path = download.file(official, own) if split == "val" else download.file(official)
    is_own = path == folder / own
    images = download.directory("images") if is_own else download.directory(f"{split}2017", f"images/{split}2017")
    try:
        data = json.loads(path.read_bytes())
        by_id: defaultdict[int, list[Record]] = defaultdict(list)
        for annotation in data["annotations"]:
            by_id[annotation["image_id"]].append(annotation)
        records = {record["file_name"]: record for record in data["images"]}
        files = {name: images / name for name in sorted(records)}
        sizes = {name: (int(record["height"]), int(record["width"])) for name, record in records.items()}
        of_image = {name: by_id[record["id"]] for name, record in records.items()}
        categories = dict(sorted((category["id"], category["name"]) for category in data["categories"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _malformed(path, error) from error
    if not files:
        raise DatasetError(f"{str(path)!r} lists no image: name another folder.")
    download.expect("images", list(files), {name for name, file in files.items() if file.is_file()})
    names = names_from(path, list(categories.values()))
    return _Annotations(download, path, files, sizes, of_image, names, {c: k for k, c in enumerate(categories)})


def _malformed(path: Path, error: Exception) -> DatasetError:
    kind = f"{type(error).__name__}: {error}"
    return DatasetError(f"{str(path)!r} is not in COCO's form ({kind}): see https://cocodataset.org/#format-data.")


# --- instances ----------------------------------------------------------------------------------


def _mask_api() -> ModuleType:
    try:
        return import_module("pycocotools.mask")
    except ImportError as error:
        raise DatasetError('COCO\'s instances are decoded by pycocotools: pip install "zeroseg[coco]".') from error


def _painted(found: _Annotations, name: str, api: ModuleType) -> UInt8[np.ndarray, "H W"]:
    """The class map of an image: crowds, then objects from large to small, each over those before it."""
    truth = np.zeros(found.sizes[name], np.uint8)
    layers: list[tuple[bool, float, int, Bool[np.ndarray, "H W"]]] = []
    for annotation in found.of_image[name]:
        try:
            mask = _decoded(annotation["segmentation"], truth.shape, api)
            area = float(annotation.get("area", mask.sum()))
        except Exception as error:  # pycocotools raises nearly anything on what it cannot decode
            raise DatasetError(
                f"{str(found.path)!r}: annotation {annotation.get('id')} of {name!r} has no mask that can be decoded "
                f"({type(error).__name__}: {error}); mend or remove it."
            ) from error
        layers.append((not annotation.get("iscrowd", 0), -area, found.class_of(annotation, first=1), mask))
    for _, _, number, mask in sorted(layers, key=lambda layer: layer[:2]):
        truth[mask] = number
    return truth


def _decoded(segmentation: Any, shape: tuple[int, ...], api: ModuleType) -> Bool[np.ndarray, "H W"]:
    """A mask from polygons, or from run lengths, compressed (a string) or not (a list)."""
    height, width = shape
    if isinstance(segmentation, list):
        if not segmentation or any(len(polygon) < FEWEST_COORDINATES for polygon in segmentation):
            raise ValueError("no polygon, or one with fewer than three corners")
        encoded = api.merge(api.frPyObjects(segmentation, height, width))
    elif isinstance(segmentation["counts"], list):
        encoded = api.frPyObjects(segmentation, height, width)
    else:
        encoded = segmentation
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # pycocotools' arrays do not know numpy 2's `copy` yet
        mask = api.decode(encoded).astype(bool)
    if mask.shape != shape:
        raise ValueError(f"a mask of {mask.shape[1]} x {mask.shape[0]} pixels")
    return mask


# --- panoptic segments --------------------------------------------------------------------------


def _read_segments(found: _Annotations, name: str, path: Path) -> UInt8[np.ndarray, "H W"]:
    """A PNG whose colours are segment ids: red + 256 green + 256^2 blue."""
    try:
        (annotation,) = found.of_image[name]
        segments = {segment["id"]: found.class_of(segment, first=0) for segment in annotation["segments_info"]}
        channels = np.asarray(load_image(path), dtype=np.int64)
    except ImageError as error:
        raise DatasetError(str(error)) from error
    except (ValueError, KeyError, TypeError) as error:
        raise _malformed(found.path, error) from error
    return Numbering({0: IGNORE, **segments}).class_map(channels @ np.array([1, 256, 65_536]), path)
