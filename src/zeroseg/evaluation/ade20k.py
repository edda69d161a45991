"""ADE20K, the 150 classes of its scene-parsing benchmark, without a background.

ADEChallengeData2016/{images,annotations}/validation; the given folder may be ADEChallengeData2016 or its parent. The
number 0 in a mask means all other things and is ignored; classes count from 1. 2,000 images in validation, 20,210 in
training. Classes have the names of mmsegmentation: the first of each row in the official objectInfo150.txt, except
"television receiver", which is "television" there.
"""

from __future__ import annotations

from pathlib import Path

from zeroseg.evaluation.class_names import read_table
from zeroseg.evaluation.download import Download
from zeroseg.evaluation.labelled_images import LabelledImages, masked_items
from zeroseg.evaluation.masks import counted_from_one

REMEDY = "get the data at http://sceneparsing.csail.mit.edu/"
FOLDERS = {"val": "validation", "train": "training"}


def open_ade20k(folder: Path, split: str = "val", size: int | None = None) -> LabelledImages:
    """The split's first `size` images, or all. Raises `DatasetError` if files are missing."""
    part = FOLDERS[split]
    root = Download("ade20k", folder, REMEDY).within("images", "ADEChallengeData2016", "")
    images, masks = root.files(".jpg", f"images/{part}"), root.files(".png", f"annotations/{part}")
    pairs = root.pairs(sorted(images.keys() | masks.keys()), images, masks)
    names = read_table("ade20k")
    return LabelledImages("ade20k", names, False, masked_items(pairs[:size], counted_from_one(len(names.names), False)))
