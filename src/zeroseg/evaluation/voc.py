"""PASCAL VOC 2012, segmentation: 20 classes, with the background as class 0 (VOC21) or without it (VOC20).

VOCdevkit/VOC2012/{JPEGImages, SegmentationClass, ImageSets/Segmentation/val.txt}; the given folder may be VOC2012,
VOCdevkit, or the parent of VOCdevkit. Masks are palette PNGs. 0 is the background; 255 is ignored (edges of objects,
difficult objects). VOC20 also ignores the background. 1,449 images in val, 1,464 in train.
"""

from __future__ import annotations

from pathlib import Path

from zeroseg.evaluation.class_names import read_table
from zeroseg.evaluation.download import Download
from zeroseg.evaluation.labelled_images import LabelledImages, masked_items
from zeroseg.evaluation.masks import counted_from_one

REMEDY = "get the data at http://host.robots.ox.ac.uk/pascal/VOC/voc2012/"


def open_voc(folder: Path, split: str = "val", size: int | None = None, background: bool = True) -> LabelledImages:
    """The split's first `size` images, or all. Raises `DatasetError` if files are missing."""
    name = "voc21" if background else "voc20"
    root = Download(name, folder, REMEDY).within("JPEGImages", "VOCdevkit/VOC2012", "VOC2012", "")
    ids = root.listed(f"ImageSets/Segmentation/{split}.txt")
    pairs = root.pairs(ids, root.files(".jpg", "JPEGImages"), root.files(".png", "SegmentationClass"))
    names = read_table("voc")
    items = masked_items(pairs[:size], counted_from_one(len(names.names), background))
    return LabelledImages(name, names, background, items)
