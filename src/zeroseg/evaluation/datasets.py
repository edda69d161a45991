"""All data sets by name; each has a file of its own beside this one."""

from __future__ import annotations

from zeroseg.errors import DatasetError
from zeroseg.evaluation.dataset import Dataset
from zeroseg.evaluation.picturebook import PicturebookDataset

DATASETS = ("picturebook-voc", "picturebook-context", "picturebook-coco")


def open_dataset(name: str, split: str = "held-out", size: int = 300) -> Dataset:
    """A data set by name. Raises `DatasetError` for a name that is not in `DATASETS`."""
    if name not in DATASETS:
        raise DatasetError(f"there is no data set {name!r}: choose one of {', '.join(DATASETS)}.")
    return PicturebookDataset(name.removeprefix("picturebook-"), split, size)
