"""COCO-Object: the 80 things of COCO, and background, in its 5,000 images of val2017.

`stuff_thing_maps` describes the files. Things become classes 1..80; all other numbers, with 255, become the background
(class 0), as in GroupViT's benchmark: no pixel is ignored.
"""

from __future__ import annotations

from pathlib import Path

from zeroseg.evaluation.class_names import ClassNames, read_table
from zeroseg.evaluation.labelled_images import LabelledImages, masked_items
from zeroseg.evaluation.masks import Numbering
from zeroseg.evaluation.stuff_thing_maps import THINGS, map_pairs

NUMBERING = Numbering({number: place for place, number in enumerate(THINGS, start=1)}, others=0)


def open_coco_object(folder: Path, split: str = "val", size: int | None = None) -> LabelledImages:
    """The split's first `size` images, or all. Raises `DatasetError` if files are missing."""
    both, count = read_table("coco_stuff"), len(THINGS)
    items = masked_items(map_pairs("coco-object", folder, split)[:size], NUMBERING)
    return LabelledImages("coco-object", ClassNames(both.names[:count], both.words[:count]), True, items)
