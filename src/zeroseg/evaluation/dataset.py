"""What evaluation needs of a data set: images with the true class of every pixel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from zeroseg.vocabulary import Vocabulary


@dataclass(frozen=True)
class Sample:
    """An image with its truth: class ids (H W) into the data set's classes, 255 where nothing counts."""

    name: str
    image: Image.Image
    truth: UInt8[np.ndarray, "H W"]


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
