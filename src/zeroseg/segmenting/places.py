"""Where results go: a tree of folders like that of the photos, and never over a file that is not ours."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from itertools import chain, count
from pathlib import Path, PurePath

from zeroseg.formats import DATASET_FORMATS, PICTURE_FORMATS
from zeroseg.images import Found
from zeroseg.segmenting.results import Record, owner, read_record, source_path

MASK, OVERLAY, RECORD = ".png", ".overlay.jpg", ".json"
ENDS = (MASK, OVERLAY, RECORD)
LONGEST = 240  # bytes of a name without its ending: file systems have names of up to 255


class Places:
    """The places of results in the folder `out`; `photos` are those of the run, which are never written over."""

    def __init__(self, out: Path, photos: Iterable[Path]) -> None:
        self.out = out
        self._taken = {source_path(photo).casefold() for photo in photos}

    def choose(self, found: Found) -> tuple[Path, Record | None]:
        """The path of a photo's results without their endings, and the record that stands there.

        It is the photo's own place. If a file that is no result of this photo has the name, in any case of letters, a
        number follows: "dog-2". So it does for a folder of photos that is called like a format: "coco-2".
        """
        folder, source = self.out / _beside_formats(found.place.parent), source_path(found.path)
        for name in _candidates(found.place):
            stem = folder / name
            keys = {source_path(stem.with_name(name + end)).casefold() for end in ENDS}
            if not self._taken.isdisjoint(keys):
                continue
            standing = read_record(stem.with_name(name + RECORD))
            free = not any(stem.with_name(name + end).exists() for end in ENDS)
            if free or (standing is not None and owner(standing) == source):
                self._taken |= keys
                return stem, standing
        raise AssertionError("numbers do not end")


def without_results(pictures: Iterable[Found], out: Path) -> Iterator[Found]:
    """The pictures that are no results of an earlier run.

    Results are all files below `out` if a folder was searched that holds it; else those with a record beside them, and
    those in the folders of formats.
    """
    root = Path(source_path(out))
    formats = {root / name for name in (*PICTURE_FORMATS, *DATASET_FORMATS)}
    for found in pictures:
        above = Path(source_path(found.path)).parents
        searched = above[len(found.place.parts) - 1]
        inside = root in above and searched in root.parents
        of_format = formats.intersection(above) and formats.isdisjoint((searched, *searched.parents))
        if not (inside or of_format or _has_record(found.path)):
            yield found


def _has_record(path: Path) -> bool:
    """Whether a picture is a mask or an overlay with its record beside it."""
    for end in (OVERLAY, MASK):
        if path.name.endswith(end):
            beside = path.with_name(path.name.removesuffix(end) + RECORD)
            return beside.exists() and read_record(beside) is not None
    return False


def _beside_formats(folder: PurePath) -> PurePath:
    """A folder for results that is none of a format."""
    first, *others = folder.parts or (".",)
    return PurePath(f"{first}-2", *others) if first.casefold() in {*PICTURE_FORMATS, *DATASET_FORMATS} else folder


def _candidates(place: PurePath) -> Iterator[str]:
    stem = place.stem
    if len(stem.encode(errors="surrogateescape")) > LONGEST:
        number = hashlib.sha256(stem.encode(errors="surrogateescape")).hexdigest()[:8]
        stem = f"{stem.encode(errors='surrogateescape')[: LONGEST - 16].decode(errors='ignore')}~{number}"
    return chain([stem], (f"{stem}-{number}" for number in count(2)))
