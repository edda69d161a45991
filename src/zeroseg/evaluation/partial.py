"""Partial measurements: the sums over the first images of a data set, kept so that a measurement can be continued.

Letters: C class.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Int64

from zeroseg.encoding import fingerprint
from zeroseg.errors import OutputError
from zeroseg.evaluation.dataset import CheckableDataset
from zeroseg.evaluation.metrics import mean_iou
from zeroseg.evaluation.sliding import SlidingSegmenter
from zeroseg.files import atomic_path, check_target, user_cache
from zeroseg.segmenter import Segmenter
from zeroseg.versions import versions
from zeroseg.vocabulary import Vocabulary

EVERY = 30.0  # seconds between two writes


def partial_path(
    segmenter: Segmenter, dataset: CheckableDataset, vocabulary: Vocabulary, say: Callable[[str], None] = lambda _: None
) -> Path | None:
    """The file of a partial measurement. Its name is a hash of everything that the result depends on.

    It is in the user's cache folder (`XDG_CACHE_HOME`, or `.cache` in the home folder). None if that cannot be written
    to, which `say` reports in a sentence.
    """
    sliding = segmenter.sliding if isinstance(segmenter, SlidingSegmenter) else None
    seen = (sliding, fingerprint(segmenter.encoder), segmenter.teacher.fingerprint)
    made_of = (dataset.signature(), seen, segmenter.read_out, vocabulary, versions())
    digest = hashlib.sha256(repr(made_of).encode())
    path = user_cache() / "evaluations" / f"{digest.hexdigest()[:32]}.npz"
    try:
        check_target(path)
    except OutputError as error:
        say(f"if this measurement is interrupted, it begins anew: {error}")
        return None
    return path


@dataclass(frozen=True)
class Sums:
    """Confusion matrices over the first `images` images of a data set (truth by rows), in pixels."""

    confusion: Int64[np.ndarray, "C C"]
    upper_bound: Int64[np.ndarray, "C C"]
    images: int


@dataclass
class Partial:
    """Sums over the first images of a data set, and the class counts and mIoU of each image.

    An image is added by replacing `sums` in the end, so an interruption never leaves half of an image in them.
    """

    sums: Sums
    class_counts: list[Int64[np.ndarray, "3 C"]] = field(default_factory=list[np.ndarray])
    mious: list[float] = field(default_factory=list[float])  # NaN where no pixel counts
    path: Path | None = None
    _written: float = field(default_factory=time.monotonic)

    @classmethod
    @contextlib.contextmanager
    def kept_in(cls, path: Path | None, classes: int) -> Generator[Partial]:
        """Yield the partial measurement in the file `path`, or an empty one; write it at the end of the block.

        It is also written if the block raises anything, and every 30 seconds. With `path` None nothing is written. A
        damaged file counts as empty. A file that cannot be written is no error: the measurement goes on.
        """
        done = cls._read(path, classes)
        try:
            yield done
        finally:
            done._write()

    def add(
        self,
        confusion: Int64[np.ndarray, "C C"],
        upper_bound: Int64[np.ndarray, "C C"],
        class_counts: Int64[np.ndarray, "3 C"],
    ) -> None:
        """Add the next image: its two confusion matrices (truth by rows), in pixels, and its class counts."""
        before = self.sums
        self.class_counts.append(class_counts)
        self.mious.append(mean_iou(confusion) if confusion.any() else float("nan"))
        self.sums = Sums(before.confusion + confusion, before.upper_bound + upper_bound, before.images + 1)
        if time.monotonic() - self._written > EVERY:
            self._write()

    @classmethod
    def _read(cls, path: Path | None, classes: int) -> Partial:
        none = np.zeros((classes, classes), np.int64)
        empty = cls(Sums(none, none, 0), path=path)
        if path is None:
            return empty
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
                confusion, upper_bound = kept["confusion"], kept["upper_bound"]
                counts, mious = kept["class_counts"], kept["mious"]
        except (OSError, ValueError, TypeError, KeyError, EOFError, BadZipFile):
            return empty  # missing or damaged: all images are measured
        if confusion.shape != none.shape or len(counts) != len(mious):
            return empty
        return cls(Sums(confusion, upper_bound, len(mious)), list(counts), mious.tolist(), path)

    def _write(self) -> None:
        self._written = time.monotonic()
        count = self.sums.images
        if self.path is None or not count:
            return
        with contextlib.suppress(OutputError), atomic_path(self.path) as path, path.open("wb") as file:
            np.savez_compressed(  # most classes are in few images
                file,
                confusion=self.sums.confusion,
                upper_bound=self.sums.upper_bound,
                class_counts=np.stack(self.class_counts[:count]),
                mious=np.array(self.mious[:count]),
            )
