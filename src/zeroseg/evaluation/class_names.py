"""The classes of a data set: their official names, and the words for them in prompts.

Each table in `classes/` has one class a line, in the order of the numbers, without the background. If the official
name is not normal English, the words follow it: "diningtable = dining table". Further words for the class, of which the
best counts, follow after commas: "road = road, street".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zeroseg.errors import DatasetError
from zeroseg.evaluation.metrics import MOST_CLASSES
from zeroseg.vocabulary import BACKGROUND, Vocabulary, label_key

TABLES = Path(__file__).parent / "classes"


@dataclass(frozen=True)
class ClassNames:
    """Classes without the background: `names` are the data set's own, `words` are used in prompts.

    `aliases`: further words for each class; empty if no class has any.
    """

    names: tuple[str, ...]
    words: tuple[str, ...]
    aliases: tuple[tuple[str, ...], ...] = ()

    def vocabulary(self, has_background: bool) -> Vocabulary:
        """The words as labels; the model's words for the background if the data set has one, else none."""
        return Vocabulary(self.words, self.aliases, None if has_background else ())

    def only(self, names: Sequence[str]) -> ClassNames:
        """Some of the classes, by their own names."""
        kept = [self.names.index(name) for name in names]
        words, aliases = tuple(self.words[k] for k in kept), tuple(self.aliases[k] for k in kept if self.aliases)
        return ClassNames(tuple(names), words, aliases)


def read_table(name: str) -> ClassNames:
    """The classes in a table of `classes/`."""
    lines = (TABLES / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    parts = [line.partition(" = ") for line in lines]
    words = [tuple((phrases or own).split(", ")) for own, _, phrases in parts]
    aliases = tuple(others for _, *others in words)
    return ClassNames(
        names=tuple(own for own, _, _ in parts),
        words=tuple(first for first, *_ in words),
        aliases=tuple(map(tuple, aliases)) if any(aliases) else (),
    )


def names_from(path: Path, names: Sequence[object]) -> ClassNames:
    """Names from a user's own file. Raises `DatasetError` if two are equal, one is empty, or there are too many."""
    tidy = tuple(" ".join(str(name).split()) for name in names)
    folded = [label_key(name) for name in tidy]
    twice = next((name for k, name in enumerate(tidy) if folded[k] in folded[:k]), None)
    problems = {
        "names no class": not tidy,
        "has a class without a name": "" in tidy,
        f"names {twice!r} twice": twice is not None,
        f"gives the name {BACKGROUND!r} to another number than 0": BACKGROUND in folded,
        f"names {len(tidy)} classes, more than {MOST_CLASSES:,}": len(tidy) > MOST_CLASSES,
    }
    for problem, found in problems.items():
        if found:
            raise DatasetError(f"{str(path)!r} {problem}: correct the file.")
    return ClassNames(tidy, tidy)
