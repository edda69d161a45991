"""Partial measurements: the sums over the first images of a data set, kept so that a measurement can be continued.

Letters: C class.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Int64

from zeroseg.encoding import StudentEncoder
from zeroseg.evaluation.dataset import CheckableDataset
from zeroseg.evaluation.metrics import mean_iou
from zeroseg.evaluation.windowed import Windowed
from zeroseg.files import atomic_path
from zeroseg.segmenter import Segmenter
from zeroseg.versions import versions
from zeroseg.vocabulary import Vocabulary

EVERY = 30.0  # seconds between two writes


def partial_path(segmenter: Segmenter, dataset: CheckableDataset, vocabulary: Vocabulary) -> Path:
    """The file of a partial measurement. Its name is a hash of everything that the result depends on.

    It is in the user's cache folder (`XDG_CACHE_HOME`, or `.cache` in the home folder).
    """
    encoder: Any = segmenter.encoder
    while isinstance(encoder, Windowed):
        encoder = encoder.encoder
    weights = encoder.student.state_dict() if isinstance(encoder, StudentEncoder) else {}
    digest = hashlib.sha256(dataset.signature().encode())
    seen = (segmenter.encoder.shorter_side, getattr(segmenter.encoder, "window", None), type(encoder).__name__)
    method = getattr(encoder, "method", None)
    digest.update(
        repr((seen, method, segmenter.teacher.fingerprint, segmenter.read_out, vocabulary, versions())).encode()
    )
    for name in sorted(weights):
        digest.update(name.encode() + weights[name].cpu().numpy().tobytes())
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "zeroseg" / "evaluations" / f"{digest.hexdigest()[:32]}.npz"


@dataclass
class Partial:
    """Sums over the first images of a data set, and the class counts and mIoU of each image."""

    confusion: Int64[np.ndarray, "C C"]
    upper_bound: Int64[np.ndarray, "C C"]
    class_counts: list[Int64[np.ndarray, "3 C"]] = field(default_factory=list[np.ndarray])
    mious: list[float] = field(default_factory=list[float])  # NaN where no pixel counts
    path: Path | None = None
    _written: float = field(default_factory=time.monotonic)

    @classmethod
    @contextlib.contextmanager
    def kept_in(cls, path: Path | None, classes: int) -> Generator[Partial]:
        """Yield the partial measurement in the file `path`, or an empty one.

        If the block raises anything, the sums so far are written to the file; if it succeeds, the file is removed. With
        `path` None nothing is written. A damaged file counts as empty. Raises `OutputError`.
        """
        done = cls._read(path, classes)
        try:
            yield done
        except BaseException:
            done._write()
            raise
        if path is not None:
            path.unlink(missing_ok=True)

    def add(
        self,
        confusion: Int64[np.ndarray, "C C"],
        upper_bound: Int64[np.ndarray, "C C"],
        class_counts: Int64[np.ndarray, "3 C"],
    ) -> None:
        """Add the next image: its two confusion matrices (truth by rows), in pixels, and its class counts."""
        self.confusion += confusion
        self.upper_bound += upper_bound
        self.class_counts.append(class_counts)
        self.mious.append(mean_iou(confusion) if confusion.any() else float("nan"))
        if time.monotonic() - self._written > EVERY:
            self._write()

    @classmethod
    def _read(cls, path: Path | None, classes: int) -> Partial:
        none = np.zeros((classes, classes), np.int64)
        empty = cls(none, none.copy(), path=path)
        if path is None or not path.is_file():
            return empty
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
                confusion, upper_bound = kept["confusion"], kept["upper_bound"]
                counts, mious = kept["class_counts"], kept["mious"]
        except (OSError, ValueError, TypeError, KeyError, EOFError, BadZipFile):
            return empty  # damaged: all images are measured again
        if confusion.shape != empty.confusion.shape or len(counts) != len(mious):
            return empty
        return cls(confusion, upper_bound, list(counts), mious.tolist(), path)

    def _write(self) -> None:
        if self.path is None or not self.mious:
            return
        with atomic_path(self.path) as path, path.open("wb") as file:
            np.savez_compressed(  # most classes are in few images
                file,
                confusion=self.confusion,
                upper_bound=self.upper_bound,
                class_counts=np.stack(self.class_counts),
                mious=np.array(self.mious),
            )
        self._written = time.monotonic()
