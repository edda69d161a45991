"""Names of the data sets and of their splits: text alone, so that the command line can list them without torch."""

from __future__ import annotations

from typing import Literal, get_args

PicturebookName = Literal["picturebook-voc", "picturebook-context", "picturebook-coco"]
OnDiskName = Literal[
    "voc21", "voc20", "context60", "context59", "coco-object", "coco-stuff", "ade20k", "cityscapes",
    "folder", "coco-instances", "coco-panoptic",
]  # fmt: skip
DatasetName = Literal[PicturebookName, OnDiskName]
SplitName = Literal["held-out", "validation", "unlabelled", "teacher", "val", "train", "all"]

PICTUREBOOKS: tuple[str, ...] = get_args(PicturebookName)
DATASETS: tuple[str, ...] = get_args(DatasetName)


def splits_of(dataset: str) -> tuple[SplitName, ...]:
    """The splits of a data set; figures are reported on the first."""
    if dataset in PICTUREBOOKS:
        return ("held-out", "validation", "unlabelled", "teacher")
    return ("all",) if dataset == "folder" else ("val", "train")
