"""Everyday words for the 1,000 classes of ImageNet: names, synonyms and hypernyms.

The table is `imagenet_words.txt`: one class a line, in ImageNet's order, as `name; synonym > hypernym; hypernym`.
Hypernyms are common words for what the class is a kind of: every breed of dog is a dog and an animal.

The classes are synsets of WordNet 3.0; its licence is in `imagenet_words.txt.license`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TABLE = Path(__file__).with_name("imagenet_words.txt")


@dataclass(frozen=True)
class ClassWords:
    """The words for a class: names that mean just it, the usual one first, and words for more than it."""

    names: tuple[str, ...]
    hypernyms: tuple[str, ...]

    @property
    def all(self) -> tuple[str, ...]:
        """Names and hypernyms."""
        return self.names + self.hypernyms


@cache
def imagenet_words() -> tuple[ClassWords, ...]:
    """The words for all 1,000 classes, in ImageNet's order."""
    return tuple(map(_read_line, TABLE.read_text(encoding="utf-8").splitlines()))


@cache
def class_names() -> tuple[str, ...]:
    """A name for each of the 1,000 classes, in ImageNet's order: the usual one, or the next where two share it."""
    table = imagenet_words()
    usual = Counter(words.names[0].lower() for words in table)
    return tuple(words.names[usual[words.names[0].lower()] > 1] for words in table)


@cache
def words_by_name() -> dict[str, ClassWords]:
    """The words for a class by its usual name, in lower case; of classes that share a name, those of the first."""
    return {words.names[0].lower(): words for words in reversed(imagenet_words())}


@cache
def all_words() -> frozenset[str]:
    """All names and hypernyms, in lower case."""
    return frozenset(word.lower() for words in imagenet_words() for word in words.all)


def _read_line(line: str) -> ClassWords:
    names, _, hypernyms = line.partition(" > ")
    return ClassWords(tuple(names.split("; ")), tuple(hypernyms.split("; ")))
