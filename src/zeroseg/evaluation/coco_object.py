"""COCO-Object: the 80 things of COCO, and background, in its 5,000 images of val2017.

The files are told in `stuff_thing_maps`. Things become classes 1..80; every other number, 255 too, becomes the
background (class 0), as in GroupViT's benchmark: no pixel is ignored.
"""

from __future__ import annotations

from pathlib import Path

from zeroseg.evaluation.class_names import ClassNames, read_table
from zeroseg.evaluation.labelled_images import LabelledImages, masked_items
from zeroseg.evaluation.masks import Numbering
from zeroseg.evaluation.stuff_thing_maps import THINGS, map_pairs

NUMBERING = Numbering({number: place for place, number in enumerate(THINGS, start=1)}, others=0)


def open_coco_object(folder: Path, split: str = "val", size: int | None = None) -> LabelledImages:
    """The split's first `size` images, or all. Raises `DatasetError` for what is missing."""
    both, count = read_table("coco_stuff"), len(THINGS)
    items = masked_items(map_pairs("coco-object", folder, split)[:size], NUMBERING)
    return LabelledImages("coco-object", ClassNames(both.names[:count], both.words[:count]), True, items)
