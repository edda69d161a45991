"""A run over many photos: each is read, segmented and written, unless its result stands already."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from PIL.Image import Image

from zeroseg.drawing import mask_image, overlay
from zeroseg.encoding import Encoded
from zeroseg.errors import ImageError
from zeroseg.files import write_together
from zeroseg.formats import DATASET_FORMATS, PICTURE_FORMATS, AnnotatedPhoto
from zeroseg.formats.georeference import read_georeference
from zeroseg.images import Found, load_image, pixel_count
from zeroseg.method_names import Absent
from zeroseg.presence import judge
from zeroseg.segmentation import Segmentation
from zeroseg.segmenter import Segmenter
from zeroseg.segmenting.places import MASK, OVERLAY, RECORD, Places
from zeroseg.segmenting.reading_ahead import WAITING_PIXELS, read_ahead
from zeroseg.segmenting.results import (
    Record,
    Settings,
    Source,
    encoded,
    label_rows,
    read_record,
    read_result,
    record,
    stands,
    written_name,
)
from zeroseg.vocabulary import Vocabulary

Ask = Callable[[Found, str, float, float], bool]
DAMAGED = (OSError, ValueError, KeyError, TypeError)


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
class Outcome:
    """What has become of a photo: its result, or why there is none.

    `stem`: the path of its results without their endings. `labels`: the rows of its record, one a label. `stood`:
    whether the result was there before.
    """

    found: Found
    stem: Path
    labels: Sequence[Record] = ()
    stood: bool = False
    error: ImageError | None = None


@dataclass(frozen=True)
class Task:
    """A photo with the place of its results; with the record of a result that stands."""

    found: Found
    stem: Path
    standing: Record | None = None


@dataclass(frozen=True)
class Read:
    """A task with its decoded picture and the state of its file, or why it cannot be read."""

    task: Task
    picture: Image | None = None
    source: Source | None = None
    error: ImageError | None = None


class Run:
    """A segmenter, a vocabulary, and the folder that the results of many photos go to."""

    def __init__(
        self, segmenter: Segmenter, vocabulary: Vocabulary, out: Path, settings: Settings, wanted: Wanted
    ) -> None:
        self.segmenter, self.vocabulary, self.out = segmenter, vocabulary, out
        self.settings, self.wanted = settings, wanted

    def outcomes(self, photos: Sequence[Found]) -> Generator[Outcome]:
        """Segment photos; yield what becomes of each, in order, when its files are on the disk.

        A photo that cannot be read is an outcome with an error. Files of a result are written together, its record
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

    def write_data_sets(self, done: Iterable[Outcome]) -> Generator[str]:
        """Write the formats that have one data set for all pictures; yield the name of each before it is written."""
        outcomes = [outcome for outcome in done if outcome.error is None]
        for name in self.wanted.of_all:
            yield name
            DATASET_FORMATS[name].write(self.out / name, self.settings.classes, map(annotated, outcomes))

    def write_companions(self) -> None:
        """Write the files that all pictures of a format share."""
        for name in self.wanted.of_pictures:
            shared = PICTURE_FORMATS[name].companions(self.settings.classes)
            write_together({self.out / name / file: content for file, content in shared.items()})

    def _tasks(self, photos: Sequence[Found]) -> Iterator[Task]:
        places = Places(self.out, [found.path for found in photos])
        for found in photos:
            stem, standing = places.choose(found)
            yield Task(found, stem, standing if standing is not None and self._stands(found, stem, standing) else None)

    def _stands(self, found: Found, stem: Path, standing: Record) -> bool:
        """Whether a result can stay; formats that it lacks are made of it."""
        try:
            same = not self.wanted.overwrite and stands(standing, Source.of(found.path), self.settings)
            ends = (MASK, OVERLAY) if self.wanted.overlays else (MASK,)
            if not same or not all(_is_whole(stem.with_name(stem.name + end)) for end in ends):
                return False
            made: list[str] = standing.get("formats", [])  # files of other formats may be of former labels
            lacking = [
                name for name in self.wanted.of_pictures if name not in made or not self._file(name, stem).exists()
            ]
            if lacking:
                one = self._annotated(found, read_result(stem.with_name(stem.name + MASK), standing))
                files = {self._file(name, stem): PICTURE_FORMATS[name].encode(one) for name in lacking}
                files[stem.with_name(stem.name + RECORD)] = encoded({**standing, "formats": [*made, *lacking]})
                write_together(files)
        except (*DAMAGED, ImageError):
            return False
        return True

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
            yield pool.submit(self._write, read.task, read.picture, read.source, found, rows), found.class_map.size

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

    def _write(
        self, task: Task, picture: Image, source: Source, segmentation: Segmentation, rows: Sequence[Record]
    ) -> Outcome:
        """Write all files of a photo's result, the record last."""
        stem = task.stem
        try:
            one = self._annotated(task.found, segmentation)
        except ImageError as error:
            return Outcome(task.found, stem, error=error)
        files = {self._file(name, stem): PICTURE_FORMATS[name].encode(one) for name in self.wanted.of_pictures}
        files[stem.with_name(stem.name + MASK)] = _bytes(mask_image(segmentation), "PNG")
        if self.wanted.overlays:
            files[stem.with_name(stem.name + OVERLAY)] = _bytes(overlay(picture, segmentation), "JPEG", quality=92)
        files[stem.with_name(stem.name + RECORD)] = record(
            task.found.path, source, segmentation, rows, self.settings, self.wanted.of_pictures
        )
        write_together(files)
        return Outcome(task.found, stem, rows)

    def _annotated(self, found: Found, segmentation: Segmentation) -> AnnotatedPhoto:
        """A result with the photo's name, and its place on the map if a format keeps it. Raises `ImageError`."""
        kept = any(PICTURE_FORMATS[name].on_map for name in self.wanted.of_pictures)
        return AnnotatedPhoto(written_name(found.place), segmentation, read_georeference(found.path) if kept else None)

    def _file(self, name: str, stem: Path) -> Path:
        """The file of a photo in a format."""
        below, kind = stem.relative_to(self.out), PICTURE_FORMATS[name]
        return self.out / name / kind.folder / below.with_name(below.name + kind.suffix)


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


def annotated(outcome: Outcome) -> AnnotatedPhoto:
    """A photo's result, read from the disk. Raises `ImageError` if it was changed or removed since."""
    values, mask = (outcome.stem.with_name(outcome.stem.name + end) for end in (RECORD, MASK))
    try:
        return AnnotatedPhoto(written_name(outcome.found.place), read_result(mask, read_record(values) or {}))
    except DAMAGED as error:
        raise ImageError(f"the result {str(mask)!r} was changed or removed ({error}): run again.") from error


def _is_whole(path: Path) -> bool:
    """Whether a picture that was written is still one, by its header."""
    try:
        return pixel_count(path) > 0
    except ImageError:
        return False


def _rows(task: Task) -> Sequence[Record]:
    return [] if task.standing is None else task.standing["labels"]


def _pixels(task: Task) -> int:
    """The pixels that reading a photo takes."""
    try:
        return 0 if task.standing is not None else pixel_count(task.found.path)
    except ImageError:
        return 0  # `_read` says why


def _read(task: Task) -> Read:
    if task.standing is not None:
        return Read(task)
    path = task.found.path
    try:
        before = Source.of(path) if path.exists() else None  # what is not there, `load_image` says in a sentence
        return Read(task, load_image(path), before or Source.of(path))
    except ImageError as error:
        return Read(task, error=error)
    except OSError as error:
        return Read(task, error=ImageError(f"{str(path)!r} cannot be read ({error.strerror})."))


def _bytes(image: Image, kind: str, **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()
