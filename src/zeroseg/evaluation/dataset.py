"""What evaluation needs of a data set: images with the true class of every pixel."""

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
    """An image with its truth: class ids (H W) into the data set's classes, `IGNORE` (65,535) where nothing counts."""

    name: str
    image: Image.Image
    truth: UInt16[np.ndarray, "H W"]


@dataclass(frozen=True)
class Problem:
    """What is wrong with one image or its truth: its name, and one sentence that names the file."""

    name: str
    sentence: str


@dataclass(frozen=True)
class Findings:
    """What checking a data set found: images that cannot be measured, and sentences about what had to be decided."""

    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()


@runtime_checkable
class Dataset(Protocol):
    """What evaluation needs of a data set. Class 0 is the background if `has_background`."""

    name: str
    classes: tuple[str, ...]
    has_background: bool
    vocabulary: Vocabulary

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Sample]: ...

    def sample(self, number: int) -> Sample:
        """The sample of a number from 0."""
        ...


@runtime_checkable
class CheckableDataset(Dataset, Protocol):
    """A data set whose files can be checked before anything is measured: all that `open_dataset` opens."""

    def check(self, progress: Callable[[int], None] = lambda _: None) -> Findings:
        """Open every image and truth. `progress` is called with the number of images done."""
        ...

    def without(self, names: Collection[str]) -> CheckableDataset:
        """The same without the images of these names. Raises `DatasetError` where none is left."""
        ...

    def signature(self) -> str:
        """What tells these samples from others: changed files, another order, another number of them."""
        ...
