"""Cityscapes: 19 classes of street scenes, without a background; 500 images in val, 2,975 in train.

leftImg8bit/val/CITY/*_leftImg8bit.png and gtFine/val/CITY/*_gtFine_labelTrainIds.png, which the official scripts make.
Without these, the *_gtFine_labelIds.png of the download are read, and converted as the scripts do it. Train id 255, and
all labels without a train id, are ignored.
"""

from __future__ import annotations

from pathlib import Path

from zeroseg.evaluation.class_names import read_table
from zeroseg.evaluation.download import Download
from zeroseg.evaluation.labelled_images import LabelledImages, masked_items
from zeroseg.evaluation.masks import VOID, Numbering
from zeroseg.segmentation import IGNORE

REMEDY = "get the data at https://www.cityscapes-dataset.com/"
TRAIN_IDS = "_gtFine_labelTrainIds.png"
LABEL_IDS = "_gtFine_labelIds.png"
EVALUATED = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)  # label ids of train ids 0..18
ALL_LABELS = range(34)
NUMBERINGS = {
    TRAIN_IDS: Numbering({**{number: number for number in range(len(EVALUATED))}, VOID: IGNORE}),
    LABEL_IDS: Numbering(dict.fromkeys(ALL_LABELS, IGNORE) | {label: k for k, label in enumerate(EVALUATED)}),
}


def open_cityscapes(folder: Path, split: str = "val", size: int | None = None) -> LabelledImages:
    """The split's first `size` images, or all. Raises `DatasetError` if files are missing."""
    root = Download("cityscapes", folder, REMEDY).within("leftImg8bit", "")
    images = root.files("_leftImg8bit.png", f"leftImg8bit/{split}", pattern="*/*")
    truths = f"gtFine/{split}"
    has_train_ids = any((root.folder / truths).glob(f"*/*{TRAIN_IDS}"))
    kind = TRAIN_IDS if has_train_ids else LABEL_IDS
    masks = root.files(kind, truths, pattern="*/*")
    pairs = root.pairs(sorted(images.keys() | masks.keys()), images, masks)
    return LabelledImages("cityscapes", read_table("cityscapes"), False, masked_items(pairs[:size], NUMBERINGS[kind]))
