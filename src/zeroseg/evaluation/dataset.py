"""The interface of data sets for evaluation: images with the true class of every pixel."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt16
from PIL import Image

from zeroseg.vocabulary import Vocabulary


@dataclass(frozen=True)
class Sample:
    """An image with its truth: ids (H W) of the data set's classes; pixels with `IGNORE` (65,535) are left out."""

    name: str
    image: Image.Image
    truth: UInt16[np.ndarray, "H W"]


@dataclass(frozen=True)
class Problem:
    """A problem of one image or its truth: the image's name, and one sentence that names the file."""

    name: str
    sentence: str


@dataclass(frozen=True)
class Findings:
    """The result of checking a data set: images that cannot be measured, and notes on unclear files."""

    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()


@runtime_checkable
class Dataset(Protocol):
    """A data set for evaluation. Class 0 is the background if `has_background`."""

    name: str
    classes: tuple[str, ...]
    has_background: bool
    vocabulary: Vocabulary

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Sample]: ...

    def sample(self, number: int) -> Sample:
        """The sample with a number, 0 .. len - 1. Raises `DatasetError` or `ImageError` if it cannot be read."""
        ...


@runtime_checkable
class CheckableDataset(Dataset, Protocol):
    """A data set whose files can be checked before they are measured. `open_dataset` opens only such data sets."""

    def check(self, progress: Callable[[int], None] = lambda _: None) -> Findings:
        """Open every image and truth. `progress` is called with the number of images done."""
        ...

    def without(self, names: Collection[str]) -> CheckableDataset:
        """The same data set without the images with these names. Raises `DatasetError` if none is left."""
        ...

    def signature(self) -> str:
        """A text that identifies the samples: it differs if files, their order or their number change."""
        ...
