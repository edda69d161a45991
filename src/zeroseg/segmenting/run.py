"""A run over many photos: each is read, segmented and written, unless its result stands already."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
from jaxtyping import Float

from zeroseg.encoding import Encoded
from zeroseg.errors import ImageError
from zeroseg.images import Found, has_more_frames, load_image, pixel_count
from zeroseg.presence import judge
from zeroseg.segmentation import Segmentation
from zeroseg.segmenter import Segmenter
from zeroseg.segmenting.places import Places
from zeroseg.segmenting.reading_ahead import WAITING_PIXELS, read_ahead
from zeroseg.segmenting.result_files import ResultFiles
from zeroseg.segmenting.results import Record, Settings, Source, label_rows
from zeroseg.segmenting.tasks import Outcome, Read, Task, Wanted
from zeroseg.vocabulary import Vocabulary


class Run:
    """A segmenter, a vocabulary, and the folder that the results of many photos go to."""

    def __init__(
        self, segmenter: Segmenter, vocabulary: Vocabulary, out: Path, settings: Settings, wanted: Wanted
    ) -> None:
        self.segmenter, self.vocabulary, self.out = segmenter, vocabulary, out
        self.settings, self.wanted = settings, wanted
        self.files = ResultFiles(out, settings, wanted)

    def outcomes(self, photos: Sequence[Found]) -> Generator[Outcome]:
        """Segment photos; yield what becomes of each, in order, when its files are on the disk.

        A photo that cannot be read is an outcome with an error. Files of a result are written together, its mask
        last. Raises `OutputError` if nothing can be written; what was written before stands.
        """
        reads = read_ahead(self._tasks(photos), _pixels, _read, self.wanted.threads)
        writing = deque[tuple[Future[Outcome], int]]()
        pool = ThreadPoolExecutor(1, "writing")
        try:
            for group in groups(reads, self.wanted.batch):
                for outcome, pixels in self._segmented(group, pool):
                    while writing and (len(writing) > self.wanted.batch or sum(n for _, n in writing) > WAITING_PIXELS):
                        yield writing.popleft()[0].result()
                    writing.append((outcome, pixels))
            for outcome, _ in writing:
                yield outcome.result()
        finally:
            reads.close()
            pool.shutdown(cancel_futures=True)

    def _tasks(self, photos: Sequence[Found]) -> Iterator[Task]:
        places = Places(self.out, [found.path for found in photos])
        for found in photos:
            stem, former = places.choose(found)
            yield Task(found, stem, former, former is not None and self.files.stands(found, stem, former))

    def _segmented(self, group: Sequence[Read], pool: ThreadPoolExecutor) -> Iterator[tuple[Future[Outcome], int]]:
        """Outcomes of photos that the network sees at once, with the pixels that each holds until it is written."""
        readable = [read.picture for read in group if read.picture is not None]
        seen = iter(self.segmenter.encode_batch(readable) if readable else [])
        for read in group:
            if read.picture is None or read.source is None:
                task = read.task
                yield pool.submit(Outcome, task.found, task.stem, _rows(task), not read.error, read.error), 0
                continue
            found, sure = self._named(read.task.found, next(seen))
            rows = label_rows(found, sure)
            yield pool.submit(self.files.write, read, found, rows), found.class_map.size

    def _named(self, photo: Found, picture: Encoded) -> tuple[Segmentation, Float[np.ndarray, " C"]]:
        """The masks of a photo, and the presence of each label; what is absent is dropped, kept, or asked for."""
        segmenter, words, wanted = self.segmenter, self.vocabulary, self.wanted
        judged = judge(segmenter, picture, words)
        kept = ~judged.doubtful
        if wanted.absent == "ask":
            for index in np.flatnonzero(judged.doubtful & (judged.areas > 0)):
                said = float(judged.sure[index]), float(judged.areas[index])
                kept[index] = wanted.ask(photo, words.labels[index], *said)
        return segmenter.name(picture, words, kept=None if wanted.absent == "keep" else kept), judged.sure


def groups(reads: Iterable[Read], batch: int) -> Iterator[list[Read]]:
    """Photos in order, up to `batch` of them to be segmented together; without any, one that stands or failed."""
    group = list[Read]()
    for read in reads:
        group.append(read)
        pictures = sum(one.picture is not None for one in group)
        if pictures in (0, batch):
            yield group
            group = []
    if group:
        yield group


def _rows(task: Task) -> Sequence[Record]:
    return task.former["labels"] if task.stands and task.former else []


def _pixels(task: Task) -> int:
    """The pixels that reading a photo takes."""
    try:
        return 0 if task.stands else pixel_count(task.found.path)
    except ImageError:
        return 0  # `_read` says why


def _read(task: Task) -> Read:
    if task.stands:
        return Read(task)
    path = task.found.path
    try:
        before = Source.of(path) if path.exists() else None  # what is not there, `load_image` says in a sentence
        return Read(task, load_image(path), before or Source.of(path), more_frames=has_more_frames(path))
    except ImageError as error:
        return Read(task, error=error)
    except OSError as error:
        return Read(task, error=ImageError(f"{str(path)!r} cannot be read ({error.strerror})."))
