"""`fiftyone.Segmentation` and back (https://docs.voxel51.com/user_guide/using_datasets.html#semantic-segmentation).

FiftyOne shows 0 as what has no label, and takes the names of numbers from the data set, not from the mask.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import numpy as np

from zeroseg.errors import ConfigError
from zeroseg.formats.annotated import Classes
from zeroseg.segmentation import Segmentation


def to_fiftyone(segmentation: Segmentation) -> Any:
    """The class map as the mask [H W] of a `fiftyone.Segmentation`; `mask_targets` name its numbers.

    0 is the background; without one, numbers start at 1. The mask has the picture's own size, so FiftyOne does not
    resize it. Raises `ConfigError` if fiftyone is missing.
    """
    try:
        fiftyone = import_module("fiftyone")
    except ImportError as error:
        raise ConfigError('Labels of FiftyOne need fiftyone: pip install "zeroseg[fiftyone]".') from error
    numbers = segmentation.class_map.astype(np.int32) + _first(Classes.of(segmentation))
    kind = np.uint8 if len(segmentation.labels) < 1 << 8 else np.uint16 if len(segmentation.labels) < 1 << 16 else None
    return fiftyone.Segmentation(mask=numbers if kind is None else numbers.astype(kind))


def mask_targets(classes: Classes) -> dict[int, str]:
    """The label of each number in the masks, for `dataset.default_mask_targets`; 0 is not among them."""
    return {index + _first(classes): label for index, label in classes.named.items()}


def from_fiftyone(label: Any, classes: Classes, targets: Mapping[int, str] | None = None) -> Segmentation:
    """The segmentation of a `fiftyone.Segmentation` whose mask is in memory; its scores are 1.

    `targets`: the labels by number, by default `mask_targets(classes)`; other numbers, such as 0, are background.
    Raises `ValueError` for a label without a mask, for unknown labels, and for pixels without a label where `classes`
    have no background.
    """
    if label.mask is None:
        raise ValueError("the label has no mask in memory: load it first.")
    numbers = np.asarray(label.mask)
    if numbers.ndim != 2 or not np.issubdtype(numbers.dtype, np.integer):
        raise ValueError(f"the mask is {list(numbers.shape)} of {numbers.dtype}, not [H W] of integers.")
    known, places = np.unique(numbers, return_inverse=True)
    named = mask_targets(classes) if targets is None else targets
    if not classes.has_background and not set(known.tolist()) <= set(named):
        raise ValueError("pixels without a label, and no background.")
    index = [classes.labels.index(named[number]) if number in named else 0 for number in known.tolist()]
    return classes.segmentation(np.array(index, np.uint16)[places].reshape(numbers.shape))


def _first(classes: Classes) -> int:
    """The number of the first label: 0 is what has none."""
    return int(not classes.has_background)
