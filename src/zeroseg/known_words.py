"""The words that a text tower has learned, and what it reads where it is asked for others. Text, no tensors.

A tower that learned single words knows nothing of forms that it never saw: to a small one "cats" is no more like "cat"
than any other word. So a plural is read as the singular that it knows, or the other way round, and a word that stands
for a known one ("kitten") as that.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

WORD = re.compile(r"[^\W\d_]+")
SINGULARS = (("ies", "y"), ("ves", "f"), ("ves", "fe"), ("men", "man"), ("mice", "mouse"), ("s", ""), ("es", ""))
"""Endings of plurals and of singulars."""
HISSING = ("s", "x", "z", "ch", "sh")  # words that end so have a plural in "es"
ARTICLES = ("a", "an", "the")
READ_AS = " = "  # in the text of a file: kitten = cat
MOST_NEAR, NEAR = 3, 0.8  # known words that are shown beside an unknown one: how many, how similar in spelling
MOST_COMPARED, LONGEST = 4, 40  # words of a label, and letters of a word, for which similar ones are looked for


@dataclass(frozen=True)
class KnownWords:
    """What a text tower has learned, in lower case: words, and names of several words."""

    names: frozenset[str]
    stand_ins: Mapping[str, str] = field(default_factory=dict[str, str])
    """Words that it has not learned, each with the known one that it is read as: kitten, cat."""

    @classmethod
    def parse(cls, text: str) -> KnownWords:
        """From the text of a file: a name a line, or `kitten = cat`."""
        lines = [line.strip().partition(READ_AS) for line in text.splitlines() if line.strip()]
        stand_ins = {word: known for word, sign, known in lines if sign}
        return cls(frozenset(word for word, sign, _ in lines if not sign), stand_ins)

    def text(self) -> str:
        """The text of a file that `parse` reads."""
        lines = [*self.names, *(f"{word}{READ_AS}{known}" for word, known in self.stand_ins.items())]
        return "".join(f"{line}\n" for line in sorted(lines))

    def reading(self, label: str) -> str:
        """The text to embed for a label: itself, or the known form of it, or what stands in for it.

        Of several words, the last one is looked up if the whole is not known: "red apples" is read as "red apple".
        """
        return self._looked_up(label)[0]

    def unknown(self, label: str) -> tuple[str, ...]:
        """Those words of a label that the tower has not learned in any form; a part of a known name is read at least.

        Articles do not count. A label without a letter is unknown as a whole, unless it is a known name.
        """
        key = _key(label)
        if self._found(key):
            return ()
        words = [word for word in WORD.findall(key) if word not in ARTICLES]
        other = [word for word in words if not self._found(word)]
        return tuple(word for word in other if word == words[-1] or word not in self._parts) if words else (key,)

    def knows(self, label: str) -> bool:
        """Whether a label, or a form of it, was learned."""
        return not self.unknown(label)

    def said_of(self, label: str) -> str:
        """What to tell a user of a label that is not known, or is read as another word; empty if there is nothing."""
        unknown, (read, stands_in) = self.unknown(label), self._looked_up(label)
        if unknown:
            near = dict.fromkeys(found for word in unknown[:MOST_COMPARED] for found in self._similar(word))
            similar = f"; similar words that it knows: {', '.join(near)}" if near else ""
            if unknown == (_key(label),):
                return f"the model has never read {label!r}, and will hardly find it{similar}."
            words = ", ".join(map(repr, dict.fromkeys(unknown)))
            return f"the model has never read {words} of {label!r}, so that the mask may be of something else{similar}."
        return f"the model has not learned {label!r}, and reads it as {read!r}." if stands_in else ""

    def _looked_up(self, label: str) -> tuple[str, bool]:
        """The text to embed for a label, and whether it is another word that stands in."""
        key = _key(label)
        before, _, last = key.rpartition(" ")
        for name, start in ((key, ""), (last, f"{before} ")):
            found = self._found(name)
            if found:
                return label if found[0] == name else start + found[0], found[1]
        return label, False

    def _found(self, word: str) -> tuple[str, bool] | None:
        """The known name for a word (itself, a form of it, or what stands in for it), and whether it stands in."""
        forms = [word, *singulars(word), plural(word)]
        known = next((form for form in forms if form in self.names), None)
        stand_in = next((self.stand_ins[form] for form in forms if form in self.stand_ins), None)
        return (known, False) if known else (stand_in, True) if stand_in else None

    def _similar(self, word: str) -> list[str]:
        return difflib.get_close_matches(word, self._sorted, MOST_NEAR, NEAR) if len(word) <= LONGEST else []

    @cached_property
    def _sorted(self) -> list[str]:
        return sorted(self.names)

    @cached_property
    def _parts(self) -> frozenset[str]:
        return frozenset(word for name in self.names for word in WORD.findall(name))


def _key(label: str) -> str:
    return " ".join(label.lower().split())


def singulars(word: str) -> tuple[str, ...]:
    """What a word may be the plural of."""
    return tuple(word.removesuffix(ending) + singular for ending, singular in SINGULARS if word.endswith(ending))


def plural(word: str) -> str:
    """The regular plural of a word."""
    if word.endswith("y") and word[-2:-1] not in tuple("aeiou"):
        return word[:-1] + "ies"
    return word + ("es" if word.endswith(HISSING) else "s")


def said_of_labels(labels: Iterable[tuple[str, Sequence[str]]], known: KnownWords | None) -> Iterator[str]:
    """One sentence for each label of which there is something to say; none for a teacher that names no words.

    A label comes with other words for it: if the teacher knows one of them, there is nothing to say.
    """
    if known is None:
        return
    for label, others in labels:
        if not any(map(known.knows, others)) and (said := known.said_of(label)):
            yield said
