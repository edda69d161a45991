"""The folder to which a data set's archives are unpacked, with clear errors for missing files."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from zeroseg.errors import DatasetError


@dataclass(frozen=True)
class Download:
    """A data set's folder. `remedy` says where to get its archives, for the errors about missing files.

    The methods take paths below the folder. Several paths are alternatives: the first one that exists is used. All
    methods, and the constructor for a folder that does not exist, raise `DatasetError`.
    """

    name: str
    folder: Path
    remedy: str

    def __post_init__(self) -> None:
        if not self.folder.is_dir():
            raise DatasetError(f"{self.name}: there is no folder {str(self.folder)!r}; {self.remedy}.")

    def within(self, part: str, *folders: str) -> Download:
        """The same data set, starting from the first of `folders` ("" is this one) that contains the folder `part`."""
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
        """The files of the first folder that has some, sorted, by their names without `suffix`."""
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
        """Raise an error that counts the missing names, if not all `names` are in `present`."""
        missing = [name for name in names if name not in present]
        if missing:
            raise DatasetError(
                f"{self.name}: {len(missing)} of {len(names)} {kind} are missing in {str(self.folder)!r}, the first is "
                f"{missing[0]!r}; {self.remedy}."
            )

    def lacking(self, kind: str, *places: str) -> DatasetError:
        """The error for a file or folder that is in none of the places."""
        where = " or ".join(repr(str(self.folder / place)) for place in places)
        return DatasetError(f"{self.name}: there is no {kind} {where}; {self.remedy}.")
