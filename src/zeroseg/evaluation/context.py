"""PASCAL Context: the 59 frequent classes, with all else as background (Context60) or ignored (Context59).

Images are those of VOC 2010; the given folder may be VOC2010, VOCdevkit, or the parent of VOCdevkit. Two kinds of masks
are read, the first if both are there:
- VOC2010/SegmentationClassContext/*.png, as mmsegmentation's converter makes them with the `detail` API: 0 for none of
  the 59, which count from 1 in the order of the alphabet. Its list is ImageSets/SegmentationContext/val.txt.
- trainval/*.mat of the official download, in VOC2010 or in the folder given: `LabelMap`, numbers 1..459 of its
  labels.txt; `NUMBERS` has those of the 59. (59_labels.txt has another order and other spellings of three names: it is
  not needed.) The official list is that of VOC 2010, ImageSets/Main/val.txt, 5,105 images; the benchmark's 5,104 images
  are in the converter's list, which is used if it is there.
"""

from __future__ import annotations

from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
from jaxtyping import UInt16

from zeroseg.errors import DatasetError
from zeroseg.evaluation.class_names import read_table
from zeroseg.evaluation.download import Download
from zeroseg.evaluation.labelled_images import Item, LabelledImages, masked_items
from zeroseg.evaluation.masks import Numbering, counted_from_one
from zeroseg.segmentation import IGNORE

REMEDY = (
    "get the labels at https://cs.stanford.edu/~roozbeh/pascal-context/ and the images, VOC 2010, at "
    "http://host.robots.ox.ac.uk/pascal/VOC/voc2010/"
)
ALL_NUMBERS = range(460)  # of labels.txt, and 0
NUMBERS = (
    2, 9, 18, 19, 22, 23, 25, 31, 33, 34, 44, 45, 46, 59, 65, 68, 72, 80, 85, 98,
    104, 105, 113, 115, 144, 158, 159, 162, 187, 189, 207, 220, 232, 258, 259, 260, 284, 295, 296, 308,
    324, 326, 347, 349, 354, 355, 360, 366, 368, 397, 415, 416, 420, 424, 427, 440, 445, 454, 458,
)  # fmt: skip


def open_context(folder: Path, split: str = "val", size: int | None = None, background: bool = True) -> LabelledImages:
    """The split's first `size` images, or all. Raises `DatasetError` if files are missing."""
    name = "context60" if background else "context59"
    root = Download(name, folder, REMEDY).within("JPEGImages", "VOCdevkit/VOC2010", "VOC2010", "")
    converted, official = f"ImageSets/SegmentationContext/{split}.txt", f"ImageSets/Main/{split}.txt"
    images = root.files(".jpg", "JPEGImages")
    names = read_table("context")
    if (root.folder / "SegmentationClassContext").is_dir():
        masks = root.files(".png", "SegmentationClassContext")
        pairs = root.pairs(root.listed(converted), images, masks)
        items = masked_items(pairs[:size], counted_from_one(len(names.names), background))
    else:
        places = dict.fromkeys((root.folder, folder))
        found = [place for place in places if (place / "trainval").is_dir()]
        if not found:
            raise root.lacking("folder", "SegmentationClassContext", "trainval")
        masks = Download(name, found[0], REMEDY).files(".mat", "trainval")
        pairs = root.pairs(root.listed(converted, official), images, masks)
        numbering, matlab = matlab_numbering(background), _matlab_reader()
        items = [
            Item(n, i, m, partial(_read_label_map, m, numbering, matlab), repr(numbering)) for n, i, m in pairs[:size]
        ]
    return LabelledImages(name, names, background, items)


def matlab_numbering(background: bool) -> Numbering:
    """The classes of the numbers in the official label maps."""
    first = int(background)
    of_none = dict.fromkeys(ALL_NUMBERS, 0 if background else IGNORE)
    return Numbering(of_none | {number: first + place for place, number in enumerate(NUMBERS)})


def _matlab_reader() -> ModuleType:
    try:
        return import_module("scipy.io")
    except ImportError as error:
        raise DatasetError("the label maps of PASCAL Context are read by SciPy: pip install scipy.") from error


def _read_label_map(path: Path, numbering: Numbering, matlab: ModuleType) -> UInt16[np.ndarray, "H W"]:
    try:
        numbers = matlab.loadmat(path)["LabelMap"]
    except Exception as error:  # the reader raises many kinds of errors for damaged files
        raise DatasetError(f"{str(path)!r} has no label map that can be read; {REMEDY}.") from error
    return numbering.class_map(numbers, path)
