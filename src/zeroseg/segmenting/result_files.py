"""The files of results: which of them stand, and how new ones are written. What others have made or changed stays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL.Image import Image

from zeroseg.drawing import mask_image, overlay
from zeroseg.errors import ImageError
from zeroseg.files import write_together
from zeroseg.formats import PICTURE_FORMATS, AnnotatedPhoto
from zeroseg.formats.georeference import read_georeference
from zeroseg.images import Found, pixel_count
from zeroseg.segmentation import Segmentation
from zeroseg.segmenting.places import MASK, OVERLAY, RECORD
from zeroseg.segmenting.results import (
    Record,
    Settings,
    Source,
    digest,
    encoded,
    read_record,
    read_result,
    record,
    stands,
    written_name,
)
from zeroseg.segmenting.tasks import Outcome, Read, Wanted

DAMAGED = (OSError, ValueError, KeyError, TypeError)
REMEMBERED = 100  # digests in a record
CHANGED = "was changed, or is not of zeroseg"


class ResultFiles:
    """The results in the folder `out`, for the settings of a run.

    A record holds the digests of all files that were written for its photo. A file with another digest was changed
    since, or is not ours, and is never replaced. The mask is written last, and the old one removed before, so that
    after a crash there is no mask, the result does not stand, and its record knows all files.
    """

    def __init__(self, out: Path, settings: Settings, wanted: Wanted) -> None:
        self.out, self.settings, self.wanted = out, settings, wanted

    def stands(self, found: Found, stem: Path, former: Record) -> bool:
        """Whether a result can stay; formats that it lacks are made of it."""
        try:
            same = not self.wanted.overwrite and stands(former, Source.of(found.path), self.settings)
            if not same or not self._is_whole(stem):
                return False
            made: list[str] = former.get("formats", [])  # files of other formats may be of former labels
            lacking = [
                name
                for name in self.wanted.of_pictures
                if name not in made or not file_of(self.out, name, stem).exists()
            ]
            if lacking:
                one = self._annotated(found, read_result(_at(stem, MASK), former))
                files = self._encoded(lacking, one, stem)
                values = {**former, "formats": [*made, *(name for name in lacking if name not in made)]}
                write_together({**files, _at(stem, RECORD): encoded(_knowing(files, former, values))})
        except (*DAMAGED, ImageError):
            return False
        return True

    def write(self, read: Read, segmentation: Segmentation, rows: Sequence[Record]) -> Outcome:
        """Write all files of a photo's result, the mask last. Raises `OutputError`."""
        task, picture, source = read.task, read.picture, read.source
        assert picture is not None
        assert source is not None
        mask = _at(task.stem, MASK)
        try:
            files = self._encoded(self.wanted.of_pictures, self._annotated(task.found, segmentation), task.stem)
            files[mask] = _bytes(mask_image(segmentation), "PNG")
            values = record(task.found.path, source, segmentation, rows, self.settings, self.wanted.of_pictures)
            first = {_at(task.stem, RECORD): encoded(_knowing(files, task.former, values))}
        except ImageError as error:
            return Outcome(task.found, task.stem, error=error)
        if self.wanted.overlays:
            first[_at(task.stem, OVERLAY)] = _bytes(overlay(picture, segmentation), "JPEG", quality=92)
        write_together({**first, **files}, removed=mask)
        return Outcome(task.found, task.stem, rows, more_frames=read.more_frames)

    def _encoded(self, names: Iterable[str], one: AnnotatedPhoto, stem: Path) -> dict[Path, bytes]:
        """The contents of a photo's files in some formats."""
        return {file_of(self.out, name, stem): PICTURE_FORMATS[name].encode(one) for name in names}

    def _is_whole(self, stem: Path) -> bool:
        """Whether the mask, and the overlay if one is wanted, are pictures by their headers. They may be changed."""
        ends = (MASK, OVERLAY) if self.wanted.overlays else (MASK,)
        return all(_is_picture(_at(stem, end)) for end in ends)

    def _annotated(self, found: Found, segmentation: Segmentation) -> AnnotatedPhoto:
        """A result with the photo's name, and its place on the map if a format keeps it. Raises `ImageError`."""
        kept = any(PICTURE_FORMATS[name].on_map for name in self.wanted.of_pictures)
        return AnnotatedPhoto(written_name(found.place), segmentation, read_georeference(found.path) if kept else None)


def file_of(out: Path, name: str, stem: Path) -> Path:
    """The file of a photo in a format; `stem`: its result below `out`, without endings."""
    below, kind = stem.relative_to(out), PICTURE_FORMATS[name]
    return out / name / kind.folder / below.with_name(below.name + kind.suffix)


def annotated(outcome: Outcome) -> AnnotatedPhoto:
    """A photo's result, read from the disk. Raises `ImageError` if it was changed or removed since."""
    values, mask = (_at(outcome.stem, end) for end in (RECORD, MASK))
    try:
        return AnnotatedPhoto(written_name(outcome.found.place), read_result(mask, read_record(values) or {}))
    except DAMAGED as error:
        raise ImageError(f"the result {str(mask)!r} was changed or removed ({error}): run again.") from error


def _at(stem: Path, end: str) -> Path:
    return stem.with_name(stem.name + end)


def _knowing(files: Mapping[Path, bytes], former: Record | None, values: Record) -> Record:
    """A record with the digests of files that will be written, and those of the former record.

    Raises `ImageError` if one of the files is there already and must not be replaced.
    """
    digests = list(map(digest, files.values()))
    known = [*digests, *(former or {}).get("written", [])]
    for path in files:
        if path.exists() and not may_be_replaced(path, known, former):
            raise ImageError(f"{str(path)!r} {CHANGED}: move it away, and run again.")
    return {**values, "written": list(dict.fromkeys(known))[:REMEMBERED]}


def may_be_replaced(path: Path, known: Sequence[str], former: Record | None) -> bool:
    """Whether a file is broken, or as it was written for a record; one of an earlier version does not say."""
    if not path.is_file():
        return False
    content = path.read_bytes()
    broken = not content or (path.suffix == MASK and not _is_picture(path))
    return broken or digest(content) in known or (former is not None and "written" not in former)


def _is_picture(path: Path) -> bool:
    """Whether a picture that was written is still one, by its header."""
    try:
        return pixel_count(path) > 0
    except ImageError:
        return False


def _bytes(image: Image, kind: str, **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()
