"""Names of the data sets and of their splits: text alone, so that the command line can list them without torch."""

from __future__ import annotations

from typing import Literal, get_args

PicturebookName = Literal["picturebook-voc", "picturebook-context", "picturebook-coco"]
OnDiskName = Literal[
    "voc21", "voc20", "context60", "context59", "coco-object", "coco-stuff", "ade20k", "cityscapes",
    "msrc21", "msrc21-objects", "folder", "coco-instances", "coco-panoptic",
]  # fmt: skip
DatasetName = Literal[PicturebookName, OnDiskName]
SplitName = Literal["held-out", "validation", "unlabelled", "teacher", "val", "train", "test", "all"]

VOC, CONTEXT, COCO = ({"val": val, "train": train} for val, train in ((1449, 1464), (5104, 4998), (5000, 118_287)))
MSRC = {"test": 295, "validation": 296}
OFFICIAL_IMAGES = {
    "voc21": VOC,
    "voc20": VOC,
    "context60": CONTEXT,
    "context59": CONTEXT,
    "coco-object": COCO,
    "coco-stuff": COCO,
    "ade20k": {"val": 2000, "train": 20_210},
    "cityscapes": {"val": 500, "train": 2975},
    "msrc21": MSRC,
    "msrc21-objects": MSRC,
}

PICTUREBOOKS: tuple[str, ...] = get_args(PicturebookName)
DATASETS: tuple[str, ...] = get_args(DatasetName)


def splits_of(dataset: str) -> tuple[SplitName, ...]:
    """The splits of a data set; figures are reported on the first."""
    if dataset in PICTUREBOOKS:
        return ("held-out", "validation", "unlabelled", "teacher")
    if dataset.startswith("msrc21"):
        return ("test", "validation")
    return ("all",) if dataset == "folder" else ("val", "train")


def tuning_split(dataset: str, split: str | None = None) -> SplitName | None:
    """The split whose masks may be used to tune a model that is measured on `split` (None: the reported one).

    None if there is none: figures that choices are made on are not those that are reported.
    """
    splits = splits_of(dataset)
    if dataset in PICTUREBOOKS:
        return "validation"
    return splits[1] if len(splits) > 1 and split in (None, splits[0]) else None


def official_images(dataset: str, split: str) -> int | None:
    """How many images a benchmark's split has; None for a data set that is not a benchmark."""
    return OFFICIAL_IMAGES.get(dataset, {}).get(split)


def unit_of(dataset: str) -> str:
    """What the samples of a data set are called: scenes or images."""
    return "scenes" if dataset in PICTUREBOOKS else "images"
