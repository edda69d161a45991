"""What the results in a folder share: data sets of all photos, and lists of labels beside files of one photo each.

They describe all results in the folder, also those of earlier runs with the same settings. A file that was changed
since it was written, or that is not ours, is never replaced: the hidden file `MARK` in a format's folder holds the
digests of what was written there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from operator import attrgetter
from pathlib import Path

from zeroseg.errors import OutputError
from zeroseg.files import write_bytes_atomically, write_text_atomically, write_together
from zeroseg.formats import DATASET_FORMATS, PICTURE_FORMATS
from zeroseg.images import Found
from zeroseg.segmenting.places import MASK, RECORD
from zeroseg.segmenting.result_files import CHANGED, annotated, file_of, may_be_replaced
from zeroseg.segmenting.results import Record, Settings, Source, digest, owner, read_record, source_path, stands
from zeroseg.segmenting.tasks import Outcome, Wanted

MARK = ".zeroseg"
PICTURES = ".png"  # suffix of files in data sets that nobody edits
WRITING = {"writing": True}  # the mark of a folder whose files are being written


class SharedFiles:
    """The shared files of the formats of a run over `photos`."""

    def __init__(self, out: Path, settings: Settings, wanted: Wanted, photos: Sequence[Found]) -> None:
        self.out, self.settings, self.wanted = out, settings, wanted
        self._sources = frozenset(source_path(found.path) for found in photos)

    def begin(self) -> None:
        """Check all, before the work, and write the lists of labels; those that will change go until the end.

        Raises `OutputError` for files that must not be replaced, and for lists that earlier results with other labels
        need.
        """
        for name in self.wanted.of_all:
            folder = self.out / name
            self._check(folder, (path for path in folder.rglob("*") if path.suffix != PICTURES and path.is_file()))
        changed = list[Path]()
        for name in self.wanted.of_pictures:
            lists = self._lists(name)
            differing = [path for path, content in lists.items() if path.exists() and not _is(path, content)]
            self._check(self.out / name, differing)
            if differing:
                changed += [*self._without_former(name, differing[0]), *differing]
        for path in changed:
            path.unlink(missing_ok=True)
        if not changed:
            self.end()

    def end(self) -> None:
        """Write the lists of labels. Raises `OutputError`."""
        for name in self.wanted.of_pictures:
            if lists := self._lists(name):
                write_together({**lists, self.out / name / MARK: _mark(self.out / name, lists)})

    def write_data_sets(self, done: Iterable[Outcome]) -> Generator[str]:
        """Write the formats that have one data set for all photos; yield a sentence before each. Raises `OutputError`.

        Those of earlier runs are in them if they have the same settings, and their photos are there as they were.
        """
        if not self.wanted.of_all:
            return
        outcomes = [outcome for outcome in done if outcome.error is None]
        earlier, others = self._earlier()
        said = f", with {len(earlier):,} results of earlier runs" if earlier else ""
        said += f", without {others:,} of other labels or settings" if others else ""
        outcomes = placed(sorted([*outcomes, *earlier], key=attrgetter("stem"))) if earlier else outcomes
        for name in self.wanted.of_all:
            folder = self.out / name
            yield f"writing {folder}{said}"
            write_text_atomically(folder / MARK, json.dumps(WRITING))
            DATASET_FORMATS[name].write(folder, self.settings.classes, map(annotated, outcomes))
            files = (path for path in folder.rglob("*") if path.suffix != PICTURES and path.is_file())
            write_bytes_atomically(folder / MARK, _mark(folder, (path for path in files if path.name != MARK)))

    def _lists(self, name: str) -> dict[Path, bytes]:
        shared = PICTURE_FORMATS[name].companions(self.settings.classes)
        return {self.out / name / file: content for file, content in shared.items()}

    def _check(self, folder: Path, files: Iterable[Path]) -> None:
        """Raise `OutputError` for a file that is not as it was written."""
        try:
            mark = json.loads((folder / MARK).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            mark = {}
        for path in files if mark != WRITING else ():
            if path.name != MARK and mark.get(path.relative_to(folder).as_posix()) != digest(path.read_bytes()):
                raise OutputError(f"{str(path)!r} {CHANGED}: move it away, or name another folder.")

    def _without_former(self, name: str, path: Path) -> list[Path]:
        """The files of a format that were made with other labels, which go with their list.

        Raises `OutputError` if one of them was changed, or is of another photo.
        """
        former = list[Path]()
        for stem, values in self._results():
            if name not in values.get("formats", ()) or values.get("settings") == self.settings.digest:
                continue
            if owner(values) not in self._sources:
                raise OutputError(
                    f"{str(self.out)!r} holds results of other photos with other labels or settings, such as "
                    f"{str(stem) + MASK!r}, and {path.name} can list only one kind: name another folder."
                )
            file = file_of(self.out, name, stem)
            if file.exists() and not may_be_replaced(file, values.get("written", ()), values):
                raise OutputError(f"{str(file)!r} {CHANGED}, and {path.name} would no longer fit: move it away.")
            former += [file]
        return former

    def _earlier(self) -> tuple[list[Outcome], int]:
        """Results of other photos that stand, and how many there are with other settings."""
        found, others = list[Outcome](), 0
        for stem, values in self._results():
            path = Path(owner(values))
            if str(path) in self._sources:
                continue
            others += values.get("settings") != self.settings.digest
            with suppress(OSError):
                if stands(values, Source.of(path), self.settings):
                    found.append(Outcome(Found(path, stem.relative_to(self.out)), stem, stood=True))
        return found, others

    def _results(self) -> Iterator[tuple[Path, Record]]:
        """All results in the folder, without their endings, with their records."""
        formats = (*PICTURE_FORMATS, *DATASET_FORMATS)
        for mask in sorted(self.out.rglob(f"*{MASK}")):
            stem = mask.with_suffix("")
            values = read_record(stem.with_name(stem.name + RECORD))
            if values is not None and mask.relative_to(self.out).parts[0] not in formats:
                yield stem, values


def placed(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Outcomes of several runs with places below the deepest folder that holds all of their photos."""
    paths = [Path(source_path(one.found.path)) for one in outcomes]
    top = os.path.commonpath([path.parent for path in paths])
    return [
        replace(one, found=replace(one.found, place=path.relative_to(top)))
        for one, path in zip(outcomes, paths, strict=True)
    ]


def _is(path: Path, content: bytes) -> bool:
    return path.is_file() and path.read_bytes() == content


def _mark(folder: Path, files: Iterable[Path] | dict[Path, bytes]) -> bytes:
    """The digests of files in a folder, by their paths in it."""
    contents = files.items() if isinstance(files, dict) else ((path, path.read_bytes()) for path in files)
    values = {path.relative_to(folder).as_posix(): digest(content) for path, content in contents}
    return json.dumps(values, indent=1, ensure_ascii=False).encode()
