"""What a run is asked for, and what passes through it: a task for each photo, its decoded picture, its outcome."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL.Image import Image

from zeroseg.errors import ImageError
from zeroseg.formats import DATASET_FORMATS, PICTURE_FORMATS
from zeroseg.images import Found
from zeroseg.method_names import Absent
from zeroseg.segmenting.results import Record, Source

Ask = Callable[[Found, str, float, float], bool]


def _yes(_photo: Found, _label: str, _presence: float, _fraction: float) -> bool:
    return True


@dataclass(frozen=True)
class Wanted:
    """What a run writes besides masks and records, and how it works.

    `formats`: names of `PICTURE_FORMATS` and `DATASET_FORMATS`. `overwrite`: also results that stand already.
    `batch`: photos that the network sees at once. `threads`: that read ahead. `absent`: whether labels of which it is
    doubtful that they are in a photo (`presence.judge`) lose their pixels there. With "ask", `ask` decides: it is
    called with the photo, the label, its presence and the fraction of the picture that it has, and says whether the
    label is there.
    """

    formats: tuple[str, ...] = ()
    overlays: bool = True
    overwrite: bool = False
    batch: int = 1
    threads: int = 2
    absent: Absent = "keep"
    ask: Ask = _yes

    @property
    def of_pictures(self) -> tuple[str, ...]:
        """Formats with one file for each picture."""
        return tuple(name for name in self.formats if name in PICTURE_FORMATS)

    @property
    def of_all(self) -> tuple[str, ...]:
        """Formats with one data set for all pictures."""
        return tuple(name for name in self.formats if name in DATASET_FORMATS)


@dataclass(frozen=True)
class Task:
    """A photo, the place of its results, the record that is there, and whether that result stands."""

    found: Found
    stem: Path
    former: Record | None = None
    stands: bool = False


@dataclass(frozen=True)
class Read:
    """A task with its decoded picture and the state of its file, or why it cannot be read.

    `more_frames`: whether the file has others than the one that was decoded.
    """

    task: Task
    picture: Image | None = None
    source: Source | None = None
    error: ImageError | None = None
    more_frames: bool = False


@dataclass(frozen=True)
class Outcome:
    """What has become of a photo: its result, or why there is none.

    `stem`: the path of its results without their endings. `labels`: the rows of its record, one a label. `stood`:
    whether the result was there before. `more_frames`: whether only the first of several frames was segmented now.
    """

    found: Found
    stem: Path
    labels: Sequence[Record] = ()
    stood: bool = False
    error: ImageError | None = None
    more_frames: bool = False
