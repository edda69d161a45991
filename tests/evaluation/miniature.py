"""Data sets of two or three tiny images, in the layouts and file formats of the real ones."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.tiny import photo
from zeroseg.errors import DatasetError
from zeroseg.evaluation import Dataset, confusion_matrix, mean_iou
from zeroseg.segmentation import IGNORE

Rows = list[list[int]]


def voc_palette() -> bytes:
    """The colours of VOC's masks: the bits of a number, three by three, are the high bits of red, green and blue."""
    colours = bytearray()
    for number in range(256):
        for channel in range(3):
            bits = [number >> (3 * k + channel) & 1 for k in range(3)]
            colours.append(sum(bit << (7 - k) for k, bit in enumerate(bits)))
    return bytes(colours)


def write_photo(path: Path, width: int = 4, height: int = 3) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    photo(width, height, seed=sum(path.stem.encode())).save(path)


def write_mask(path: Path, rows: Rows | np.ndarray, palette: bytes | None = None) -> None:
    """A PNG of bytes; with a palette they are its indices."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mask = Image.fromarray(np.array(rows, np.uint8))
    if palette is not None:
        mask.putpalette(palette)
    mask.save(path)


def write_list(path: Path, names: Iterable[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{name}\n" for name in names))


def write_msrc21(root: Path, images: int = 3) -> Path:
    """MSRC-21 in its prepared layout, with as many images in both splits: void and grass above, a cow and a boat."""
    for split in ("validation", "test"):
        for number in range(images):
            write_photo(root / split / f"images/{number}_1_s.jpg")
            write_mask(root / split / f"masks/{number}_1_s.png", [[0, 2, 2, 2], [2, 4, 4, 2], [23, 23, 4, 4]])
    return root


def truths(dataset: Dataset) -> dict[str, Rows]:
    """The class map of every image; what counts for nothing is shown as 255, the number that masks have for it."""
    samples = list(dataset)
    assert len(dataset) == len(samples)
    assert all(sample.image.mode == "RGB" for sample in samples)
    assert all(sample.truth.shape == sample.image.size[::-1] for sample in samples)
    assert all(sample.truth.dtype == np.uint16 for sample in samples)
    return {sample.name: np.where(sample.truth == IGNORE, 255, sample.truth).tolist() for sample in samples}


def miou(dataset: Dataset, predictions: Mapping[str, Rows]) -> float:
    """What a segmenter would get that answers with these class maps."""
    count = len(dataset.classes)
    confusions = [confusion_matrix(s.truth, np.array(predictions[s.name]), count) for s in dataset]
    return mean_iou(np.sum(confusions, axis=0))


def assert_classes(dataset: Dataset, count: int, has_background: bool, **expected: str) -> None:
    """So many classes, those expected in their places (`c3="dog"`), and a word in the vocabulary for each."""
    assert len(dataset.classes) == len(set(dataset.classes)) == count
    assert dataset.has_background == has_background == (dataset.classes[0] == "background")
    assert len(dataset.vocabulary.labels) == count - has_background
    assert {place: dataset.classes[int(place[1:])] for place in expected} == expected
    assert dataset.vocabulary.background == (None if has_background else ())


def refused(*words: object) -> Any:
    """`with refused("voc21", path):`, one `DatasetError` of one sentence in which the words occur."""
    return pytest.raises(DatasetError, match="".join(f"(?=.*{re.escape(str(word))})" for word in words) + r"(?s:.)*\.$")
