"""The two kinds of formats: one file for each picture, or one data set for all of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import ClassVar

from zeroseg.formats.annotated import AnnotatedPhoto, Classes, Size


class PictureFormat(ABC):
    """One file for each picture, at the picture's place in the tree of folders, with the suffix of the format.

    `folder`: where this tree begins in the format's own folder; "" is that folder, in which the companions are.
    `on_map`: whether it keeps a picture's place on the map (`AnnotatedPhoto.georeference`).
    """

    name: ClassVar[str]
    suffix: ClassVar[str]
    folder: ClassVar[str] = ""
    on_map: ClassVar[bool] = False

    @abstractmethod
    def encode(self, annotated: AnnotatedPhoto) -> bytes:
        """The content of the picture's file."""

    @abstractmethod
    def decode(self, content: bytes, classes: Classes, size: Size) -> AnnotatedPhoto:
        """What `encode` has written; `size` is the picture's width and height.

        Labels that the content itself names are looked up in `classes`. The photo's name is "" where the format has
        none. Raises `DatasetError` for another content.
        """

    def companions(self, classes: Classes) -> Mapping[str, bytes]:
        """Files that all pictures share, such as a list of labels: relative name -> content."""
        del classes
        return {}


class DatasetFormat(ABC):
    """One data set for all pictures, in a folder."""

    name: ClassVar[str]

    @abstractmethod
    def write(self, folder: Path, classes: Classes, pictures: Iterable[AnnotatedPhoto]) -> None:
        """Write the data set; `pictures` are taken one after the other and not kept.

        Each file is written completely or not at all. Raises `OutputError`.
        """

    @abstractmethod
    def read(self, folder: Path) -> Iterator[AnnotatedPhoto]:
        """The pictures of a data set, one after the other.

        Raises `DatasetError` for a data set that is missing or malformed.
        """
