"""The labels of images by their texts: what a text says that an image shows.

Names of ImageNet's classes have the words of `imagenet_words`. All other names, and the words of sentences, are looked
up in `caption_words.txt`; its first lines say what the signs in it mean.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from pathlib import Path

from zeroseg.known_words import ARTICLES, KnownWords
from zeroseg.training.imagenet_words import all_words, words_by_name

TABLE = Path(__file__).with_name("caption_words.txt")
LONGEST_NAME = 3  # words: longer texts are sentences, unless the table of ImageNet's classes has them


@dataclass(frozen=True)
class CaptionWords:
    """The table of words in captions, in lower case."""

    labels: dict[str, tuple[str, ...]]
    """The labels of each word. A name that is a label itself is not among its own."""
    kept: frozenset[str]
    """Words that are labels themselves where they are the name of an image."""
    stuff: frozenset[str]
    """Labels of things that are in many images whose name does not say so: grass, sky, person, clothes."""
    kinds: tuple[tuple[str, str], ...]
    """Labels that are kinds of stuff, with that stuff: (woman, person), (lake, water)."""


@cache
def caption_words() -> CaptionWords:
    """The table."""
    labels: dict[str, tuple[str, ...]] = {}
    kept: set[str] = set()
    stuff: set[str] = set()
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if line.startswith("*"):
            stuff.update(line.removeprefix("* ").split("; "))
        elif not line.startswith("#"):
            left, sign, right = re.split(r" (=?>) ", line)
            words = left.split("; ")
            labels |= dict.fromkeys(words, tuple(right.split("; ")))
            kept.update(words if sign == ">" else ())
    chains = [(*([word] if word in kept and word not in some else []), *some) for word, some in labels.items()
              if " " not in word]  # fmt: skip
    kinds = {(kind, of) for chain in chains for kind, of in combinations(chain, 2) if of in stuff}
    return CaptionWords(labels, frozenset(kept), frozenset(stuff), tuple(sorted(kinds)))


def labels_of_name(name: str) -> tuple[str, ...]:
    """The labels of an image that has this name, in lower case: other words for it, and what it is a kind of."""
    key, table = name.lower(), caption_words()
    if key in words_by_name():
        return tuple(dict.fromkeys(word.lower() for word in words_by_name()[key].all))
    own = () if key in table.labels and key not in table.kept else (key,)
    return tuple(dict.fromkeys([*own, *table.labels.get(key, ())]))


def groups_of_sentences(sentences: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """The labels of each word in sentences that are about one image, without repetitions."""
    table = caption_words().labels
    return tuple(dict.fromkeys(table[word] for word in sorted(words_of(sentences)) if word in table))


def known_words(labels: Iterable[str]) -> KnownWords:
    """What a text tower knows that has learned these labels: a special word of the table is read as a general one."""
    names, table = frozenset(label.lower() for label in labels), caption_words()
    read_as = {word: [label for label in table.labels[word] if label in names] for word in table.kept - names}
    return KnownWords(names, {word: known[0] for word, known in read_as.items() if known})


def is_name(text: str) -> bool:
    """Whether a text is a name and no sentence: a word for a class of ImageNet, or a few words without an article."""
    words = text.lower().split()
    return text.lower() in all_words() or (len(words) <= LONGEST_NAME and words[0] not in ARTICLES)


def words_of(texts: Iterable[str]) -> set[str]:
    """All words in texts, in lower case."""
    return {word for text in texts for word in re.findall(r"\w+", text.lower())}
