"""The folder that a data set's archives unpack to, and one clear sentence for what is missing in it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from zeroseg.errors import DatasetError


@dataclass(frozen=True)
class Download:
    """A data set's folder, and what helps when something is missing in it: the page where its archives are.

    Parts are asked for by their paths below the folder; several paths are the places where one part may lie, and the
    first that is there counts. All methods, and a folder that does not exist, raise `DatasetError`.
    """

    name: str
    folder: Path
    remedy: str

    def __post_init__(self) -> None:
        if not self.folder.is_dir():
            raise DatasetError(f"{self.name}: there is no folder {str(self.folder)!r}; {self.remedy}.")

    def within(self, part: str, *folders: str) -> Download:
        """The same from the first of `folders` ("" for this one) that holds the folder `part`."""
        for folder in folders:
            if (self.folder / folder / part).is_dir():
                return replace(self, folder=self.folder / folder)
        raise self.lacking("folder", *(f"{folder}/{part}".lstrip("/") for folder in folders))

    def directory(self, *places: str) -> Path:
        """A folder."""
        for place in places:
            if (self.folder / place).is_dir():
                return self.folder / place
        raise self.lacking("folder", *places)

    def file(self, *places: str) -> Path:
        """A file."""
        for place in places:
            if (self.folder / place).is_file():
                return self.folder / place
        raise self.lacking("file", *places)

    def files(self, suffix: str, *places: str, pattern: str = "*") -> dict[str, Path]:
        """Files of a folder, in order, by their names without `suffix`; a folder without any is not there."""
        for place in places:
            found = sorted((self.folder / place).glob(pattern + suffix))
            if found:
                return {path.name.removesuffix(suffix): path for path in found}
        raise self.lacking("file", *(f"{place}/{pattern}{suffix}" for place in places))

    def listed(self, *places: str) -> list[str]:
        """The names in a list of images, one a line."""
        path = self.file(*places)
        names = path.read_text(encoding="utf-8", errors="replace").split()
        if not names:
            raise DatasetError(f"{self.name}: {str(path)!r} is empty; {self.remedy}.")
        return names

    def pairs(
        self, names: Sequence[str], images: Mapping[str, Path], masks: Mapping[str, Path]
    ) -> list[tuple[str, Path, Path]]:
        """Every name with its image and its mask."""
        self.expect("images", names, images)
        self.expect("masks", names, masks)
        return [(name, images[name], masks[name]) for name in names]

    def expect(self, kind: str, names: Sequence[str], present: Collection[str]) -> None:
        """All of these names, or the sentence that counts what is missing."""
        missing = [name for name in names if name not in present]
        if missing:
            raise DatasetError(
                f"{self.name}: {len(missing)} of {len(names)} {kind} are missing in {str(self.folder)!r}, the first is "
                f"{missing[0]!r}; {self.remedy}."
            )

    def lacking(self, kind: str, *places: str) -> DatasetError:
        """There is nothing of that kind in any of the places."""
        where = " or ".join(repr(str(self.folder / place)) for place in places)
        return DatasetError(f"{self.name}: there is no {kind} {where}; {self.remedy}.")
