"""All data sets by name; each has its own file in this folder."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from zeroseg.dataset_names import DATASETS, PICTUREBOOKS, splits_of, tuning_split
from zeroseg.errors import DatasetError
from zeroseg.evaluation.ade20k import open_ade20k
from zeroseg.evaluation.cityscapes import open_cityscapes
from zeroseg.evaluation.coco_json import open_coco_instances, open_coco_panoptic
from zeroseg.evaluation.coco_object import open_coco_object
from zeroseg.evaluation.coco_stuff import open_coco_stuff
from zeroseg.evaluation.context import open_context
from zeroseg.evaluation.dataset import CheckableDataset
from zeroseg.evaluation.folder import open_folder
from zeroseg.evaluation.masks import MaskOptions
from zeroseg.evaluation.msrc21 import open_msrc21
from zeroseg.evaluation.picturebook import PicturebookDataset
from zeroseg.evaluation.voc import open_voc

HELD_OUT_SCENES = 300  # the picturebook is unlimited: by default so many scenes are measured

BENCHMARKS: dict[str, Callable[[Path, str, int | None], CheckableDataset]] = {
    "voc21": open_voc,
    "voc20": partial(open_voc, background=False),
    "context60": open_context,
    "context59": partial(open_context, background=False),
    "coco-object": open_coco_object,
    "coco-stuff": open_coco_stuff,
    "ade20k": open_ade20k,
    "cityscapes": open_cityscapes,
    "msrc21": open_msrc21,
    "msrc21-objects": partial(open_msrc21, objects=True),
}
OWN: dict[str, Callable[[Path, str, int | None, MaskOptions], CheckableDataset]] = {
    "folder": lambda folder, _, size, masks: open_folder(folder, size, masks),
    "coco-instances": open_coco_instances,
    "coco-panoptic": open_coco_panoptic,
}


def open_dataset(
    name: str,
    split: str | None = None,
    size: int | None = None,
    folder: Path | None = None,
    masks: MaskOptions | None = None,
) -> CheckableDataset:
    """A data set by name: the first `size` images (default: all, or 300 scenes) of a split (default: the reported one).

    `folder`: the folder to which a real data set was unpacked; the picturebook has none. `masks`: how masks of a user's
    own files are read (`folder` and COCO's JSON). Raises `DatasetError` for a name that is not in `DATASETS`, an
    unknown split, `masks` for a benchmark, and missing files.
    """
    if name not in DATASETS:
        raise DatasetError(f"there is no data set {name!r}: choose one of {', '.join(DATASETS)}.")
    splits = splits_of(name)
    if split is not None and split not in splits:
        raise DatasetError(f"{name} has no split {split!r}: choose one of {', '.join(splits)}.")
    if name not in OWN and masks not in (None, MaskOptions()):
        raise DatasetError(
            f"{name} has masks of a fixed form: --ignore and --masks are for {', '.join(OWN)} only, so leave them out."
        )
    if name in PICTUREBOOKS:
        if folder is not None:
            raise DatasetError(f"{name} is drawn, not read from a folder: leave {str(folder)!r} (--data) out.")
        return PicturebookDataset(name.removeprefix("picturebook-"), split or splits[0], size or HELD_OUT_SCENES)
    if folder is None:
        raise DatasetError(
            f"{name} is read from a folder, but none is given (--data FOLDER): docs/datasets.md says where to get it."
        )
    if name in OWN:
        return OWN[name](folder, split or splits[0], size, masks or MaskOptions())
    return BENCHMARKS[name](folder, split or splits[0], size)


def open_tuning_set(
    name: str, split: str | None, size: int, folder: Path | None = None, masks: MaskOptions | None = None
) -> CheckableDataset:
    """Images to tune a margin on if `split` is measured: those of its `tuning_split`.

    Raises `DatasetError` if there are no images other than the measured ones.
    """
    others = tuning_split(name, split)
    if others is None:
        raise DatasetError(f"{name} has no images other than the measured ones that a margin may be tuned on.")
    return open_dataset(name, others, size, folder, masks)
