"""Vocabularies: class names, other words for them, words for the background, prompt templates. Text, no tensors."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from zeroseg.errors import VocabularyError

BACKGROUND = "background"
TEMPLATES = ("a photo of a {}", "a picture of a {}", "{}")
BACKGROUND_WORDS = (
    "sky", "night sky", "clouds", "wall", "brick", "wood", "floor", "ground", "grass", "meadow",
    "sand", "beach", "water", "sea", "snow", "stone", "cobblestone", "road",
)  # fmt: skip
MOST_LABELS = 65_535  # class maps are uint16, and the background needs one number
FIELD = re.compile(r'[^\S\n]*"(?P<quoted>(?:[^"]|"")*)"[^\S\n]*(?=[,;\n]|$)|[^,;\n]*')
COMMENT = "#"
LINE = re.compile(r'"(?P<quoted>(?:[^"]|"")*)"(?::(?: (?P<others>.*))?)?')
LINE_END = re.compile("\r\n|\r|\n")
Entry = tuple[str, tuple[str, ...]]  # a label, and other words for it


@dataclass(frozen=True)
class Vocabulary:
    """Labels to choose from. `aliases[k]` are further words for `labels[k]`: the best of them counts.

    `background` are words for the background: a region that fits one of them better than any label is background. With
    None the model's own are used (`ReadOut.background_words`). A word that is also a label is not a background word,
    unless `contested`: then it competes with the label.
    Labels that differ only in case, blanks, or in the encoding of accents are one label, in its first spelling.
    Raises `VocabularyError` if there are no labels or too many, or if one is blank.
    """

    labels: tuple[str, ...]
    aliases: tuple[tuple[str, ...], ...] = ()
    background: tuple[str, ...] | None = None
    templates: tuple[str, ...] = TEMPLATES
    contested: bool = False

    def __post_init__(self) -> None:
        first_spelling: dict[str, str] = {}
        for label in map(_tidy, self.labels):
            first_spelling.setdefault(label_key(label), label)
        labels = tuple(first_spelling.values())
        if not labels:
            raise VocabularyError('the vocabulary is empty: name at least one label, for example "dog, grass".')
        if any(not label for label in labels):
            raise VocabularyError("a label is blank: every label needs at least one letter.")
        if BACKGROUND in first_spelling:
            raise VocabularyError(f'"{BACKGROUND}" is what no label fits: leave it out of the labels.')
        others = [word for words in self.aliases for word in words]
        if not all(map(_tidy, others)):
            raise VocabularyError("one of the other words for a label is blank: every word needs at least one letter.")
        if any("\ud800" <= letter <= "\udfff" for word in (*labels, *others) for letter in word):
            raise VocabularyError("a label is not valid Unicode: write it again, in UTF-8.")
        if len(labels) > MOST_LABELS:
            raise VocabularyError(f"{len(labels)} labels are too many: name at most {MOST_LABELS:,}.")
        if self.aliases and (len(self.aliases) != len(self.labels) or len(labels) != len(self.labels)):
            raise VocabularyError("aliases need one entry for every label, and labels that differ.")
        if not self.templates or not all(map(_takes_label, self.templates)):
            raise VocabularyError('every prompt template needs a place for the label, "{}".')
        object.__setattr__(self, "labels", labels)

    def background_words(self, usual: Sequence[str] = ()) -> tuple[str, ...]:
        """The words for the background: the vocabulary's own, or the `usual` ones; mostly without labels."""
        asked = {label_key(word) for words in (self.labels, *self.aliases) for word in words}
        words = usual if self.background is None else self.background
        return tuple(word for word in words if self.contested or label_key(word) not in asked)

    def words(self, usual: Sequence[str] = ()) -> list[tuple[str, int]]:
        """Every word to embed, with the number of its class; `background_words` have class -1."""
        rows = [(label, k) for k, label in enumerate(self.labels)]
        rows += [(alias, k) for k, words in enumerate(self.aliases) for alias in words]
        return rows + [(word, -1) for word in self.background_words(usual)]


def parse_labels(text: str) -> tuple[str, ...]:
    """Labels from one line, `dog, grass, traffic light`, which is split at commas, semicolons and line ends.

    Quotes protect separators, as in CSV: `"salt, pepper", dog`; a quote in a quoted label is written twice. In a label
    that does not begin with a quote, quotes are ordinary characters. Raises `VocabularyError` for a quote that is not
    closed at the end of its label.
    """
    labels: list[str] = []
    position = 0
    while position <= len(text):
        found = FIELD.match(text, position)
        assert found is not None  # the pattern also matches the empty text
        written, quoted = found.group().strip(), found.group("quoted")
        if quoted is None and written.startswith('"'):
            raise VocabularyError(
                f'the quote that begins {written!r} is not closed where the label ends: write "salt, pepper", dog, and '
                'a quote within quotes twice, """so called"" things".'
            )
        labels.append(_tidy(written if quoted is None else quoted.replace('""', '"')))
        position = found.end() + 1
    return tuple(label for label in labels if label)


def parse_label_lines(text: str) -> tuple[Entry, ...]:
    """Labels from the text of a file, one a line, each with other words for it: `sofa: couch, settee`.

    A colon with a blank after it, or at the end of the line, ends the label; in quotes it does not: `"ratio: width to
    height"`. Elsewhere commas and quotes are ordinary characters. Blank lines, and lines that begin with "#", are left
    out. Raises `VocabularyError` for a line without a label before its colon, or with a quote that is not closed.
    """
    entries = list[Entry]()
    for number, line in enumerate(map(_tidy, LINE_END.split(text)), 1):
        if line and not line.startswith(COMMENT):
            label, others = _entry(line)
            if not label:
                raise VocabularyError(f"line {number} of the labels, {line!r}, has no label before its colon.")
            if label.startswith('"') and label.count('"') % 2:
                raise VocabularyError(f"line {number} of the labels, {line!r}, has a quote that is not closed.")
            entries.append((label, parse_labels(others)))
    return tuple(entries)


def _entry(line: str) -> tuple[str, str]:
    """The label of a line, and what follows its colon."""
    found = LINE.fullmatch(line)
    if found is not None:
        return _tidy(found["quoted"].replace('""', '"')), found["others"] or ""
    label, _, others = line.removesuffix(":").partition(": ")
    return label, others


def merged_vocabulary(entries: Iterable[Entry]) -> Vocabulary:
    """A vocabulary from labels with other words for them. A label that comes twice has the words of both.

    The label "background" is left out. Raises `VocabularyError` as `Vocabulary` does.
    """
    spelling, others = dict[str, str](), defaultdict[str, dict[str, None]](dict)
    for label, words in entries:
        if label_key(label) != BACKGROUND:
            spelling.setdefault(label_key(label), label)
            others[label_key(label)].update(dict.fromkeys(words))
    aliases = tuple(tuple(others[key]) for key in spelling)
    return Vocabulary(tuple(spelling.values()), aliases if any(aliases) else ())


@lru_cache(2 * MOST_LABELS)
def label_key(label: str) -> str:
    """A key that is equal for labels that count as one: without case, repeated blanks and the encoding of accents."""
    folded = unicodedata.normalize("NFD", _tidy(label)).casefold()
    return unicodedata.normalize("NFC", folded)


def same_tokens(labels: Sequence[str], tokens: Sequence[Sequence[int]]) -> list[tuple[str, ...]]:
    """Groups of labels with the same `tokens` (ids, cut to the length that the teacher reads).

    A teacher cannot distinguish them: their pixels get the first label of a group. Groups are in the order of labels.
    """
    groups: defaultdict[tuple[int, ...], list[str]] = defaultdict(list)
    for label, ids in zip(labels, tokens, strict=True):
        groups[tuple(ids)].append(label)
    return [tuple(group) for group in groups.values() if len(group) > 1]


class UnknownWordsWarning(UserWarning):
    """The teacher has not learned a label: its masks may be wrong, or those of another word."""


def make_vocabulary(
    labels: str | Iterable[str] | Mapping[str, Sequence[str]], background: Sequence[str] | None = None
) -> Vocabulary:
    """A vocabulary from one line of labels, from several labels, or from labels with other words for each.

    The label "background" is left out. `background`: words for the background; None for the model's own. Raises
    `VocabularyError` as `Vocabulary` does.
    """
    words = None if background is None else tuple(background)
    if isinstance(labels, Mapping):
        return replace(merged_vocabulary((label, tuple(others)) for label, others in labels.items()), background=words)
    names = parse_labels(labels) if isinstance(labels, str) else tuple(labels)
    return Vocabulary(tuple(n for n in names if label_key(n) != BACKGROUND), background=words)


def _takes_label(template: str) -> bool:
    """Whether a template has a place for the label, and no other."""
    try:
        return "\0" in template.format("\0")
    except (LookupError, ValueError, AttributeError):
        return False


def _tidy(label: str) -> str:
    return " ".join(label.split())
