"""COCO-Stuff: 80 things and 91 kinds of stuff in COCO's 5,000 images of val2017; 255 is ignored.

`stuff_thing_maps` describes the files. Classes are COCO's categories in their order, without those that COCO never
used: 171 of 182.
"""

from __future__ import annotations

from pathlib import Path

from zeroseg.evaluation.class_names import read_table
from zeroseg.evaluation.labelled_images import LabelledImages, masked_items
from zeroseg.evaluation.masks import VOID, Numbering
from zeroseg.evaluation.stuff_thing_maps import STUFF, THINGS, map_pairs
from zeroseg.segmentation import IGNORE

NUMBERING = Numbering({**{number: place for place, number in enumerate(THINGS + STUFF)}, VOID: IGNORE})


def open_coco_stuff(folder: Path, split: str = "val", size: int | None = None) -> LabelledImages:
    """The split's first `size` images, or all. Raises `DatasetError` if files are missing."""
    items = masked_items(map_pairs("coco-stuff", folder, split)[:size], NUMBERING)
    return LabelledImages("coco-stuff", read_table("coco_stuff"), False, items)
