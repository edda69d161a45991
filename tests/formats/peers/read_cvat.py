"""CVAT's masks with Datumaro, with which CVAT imports them: by class, and by object where there are objects.

Datumaro cannot look up more than 256 colours (`unpaint_mask`): then only its reader of the list of colours is used.
"""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from answer import BACKGROUND, answer, painted
from datumaro.components.annotation import AnnotationType
from datumaro.components.dataset import Dataset
from datumaro.plugins.data_formats.voc.format import parse_label_map
from PIL import Image


def read(folder: Path) -> Iterator[tuple[str, np.ndarray, list[str]]]:
    """The pictures of `cvat.zip`. Photos have no suffix there."""
    with tempfile.TemporaryDirectory() as name, zipfile.ZipFile(folder / "cvat.zip") as archive:
        archive.extractall(name)
        unpacked = Path(name)
        colours = {tuple(given[0]): label for label, given in parse_label_map(unpacked / "labelmap.txt").items()}
        if len(colours) <= 256:
            yield from by_datumaro(unpacked)
            return
        for item in (unpacked / "ImageSets/Segmentation/default.txt").read_text(encoding="utf-8").splitlines():
            pixels = mask_of(unpacked, item)
            named = [colours[tuple(colour)] for colour in pixels.reshape(-1, 3).tolist()]
            yield f"{item}.jpg", np.arange(len(named)).reshape(pixels.shape[:2]), named


def by_datumaro(unpacked: Path) -> Iterator[tuple[str, np.ndarray, list[str]]]:
    """All masks of the data set but those of the background."""
    data_set = Dataset.import_from(str(unpacked), "voc_segmentation")
    labels = data_set.categories()[AnnotationType.label]
    for item in data_set:
        masks = [(labels[mask.label].name, mask.image) for mask in item.annotations]
        size = mask_of(unpacked, item.id).shape[1::-1]
        yield f"{item.id}.jpg", *painted(size, [one for one in masks if one[0] != BACKGROUND])


def mask_of(unpacked: Path, item: str) -> np.ndarray:
    """The colours of the classes [H W 3]."""
    with Image.open(unpacked / "SegmentationClass" / f"{item}.png") as mask:
        return np.array(mask)


answer(read)
