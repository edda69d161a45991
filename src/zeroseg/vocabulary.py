"""Vocabularies: class names, other words for them, words for the background, prompt templates. Text, no tensors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from zeroseg.errors import VocabularyError

BACKGROUND = "background"
TEMPLATES = ("a photo of a {}", "a picture of a {}", "{}")
BACKGROUND_WORDS = (
    "sky", "night sky", "clouds", "wall", "brick", "wood", "floor", "ground", "grass", "meadow",
    "sand", "beach", "water", "sea", "snow", "stone", "cobblestone", "road",
)  # fmt: skip
MOST_LABELS = 65_535  # class maps are uint16, and the background takes one number


@dataclass(frozen=True)
class Vocabulary:
    """Labels to choose from. `aliases[k]` are further words for `labels[k]`: the best of them counts.

    `background` are words that nobody asked for: what fits them better than any label is background. None leaves them
    to the model (`ReadOut.background_words`). Words that are asked for as labels do not compete.
    Raises `VocabularyError` when empty, blank or too large. Labels that differ only in case or blanks are one label.
    """

    labels: tuple[str, ...]
    aliases: tuple[tuple[str, ...], ...] = ()
    background: tuple[str, ...] | None = None
    templates: tuple[str, ...] = TEMPLATES

    def __post_init__(self) -> None:
        first_spelling: dict[str, str] = {}
        for label in map(_tidy, self.labels):
            first_spelling.setdefault(label.casefold(), label)
        labels = tuple(first_spelling.values())
        if not labels:
            raise VocabularyError('the vocabulary is empty: name at least one label, for example "dog, grass".')
        if any(not label for label in labels):
            raise VocabularyError("a label is blank: every label needs at least one letter.")
        if BACKGROUND in first_spelling:
            raise VocabularyError(f'"{BACKGROUND}" is what no label fits: leave it out of the labels.')
        if any("\ud800" <= letter <= "\udfff" for label in labels for letter in label):
            raise VocabularyError("a label is not valid Unicode: write it again, in UTF-8.")
        if len(labels) > MOST_LABELS:
            raise VocabularyError(f"{len(labels)} labels are too many: name at most {MOST_LABELS:,}.")
        if self.aliases and (len(self.aliases) != len(self.labels) or len(labels) != len(self.labels)):
            raise VocabularyError("aliases need one entry for every label, and labels that differ.")
        if not self.templates or any("{}" not in template for template in self.templates):
            raise VocabularyError('every prompt template needs a place for the label, "{}".')
        object.__setattr__(self, "labels", labels)

    def background_words(self, usual: Sequence[str] = ()) -> tuple[str, ...]:
        """What competes for the background: the vocabulary's own words, or the `usual` ones; no label among them."""
        asked = {label.casefold() for label in (*self.labels, *(alias for words in self.aliases for alias in words))}
        words = usual if self.background is None else self.background
        return tuple(word for word in words if word.casefold() not in asked)

    def words(self, usual: Sequence[str] = ()) -> list[tuple[str, int]]:
        """Every word to embed with the number of its class; background words (see there) have class -1."""
        rows = [(label, k) for k, label in enumerate(self.labels)]
        rows += [(alias, k) for k, words in enumerate(self.aliases) for alias in words]
        return rows + [(word, -1) for word in self.background_words(usual)]


def parse_labels(text: str) -> tuple[str, ...]:
    """Labels from one line, `dog, grass, traffic light`: split at commas, semicolons and line ends."""
    parts = [_tidy(part) for part in text.replace(";", ",").replace("\n", ",").split(",")]
    return tuple(part for part in parts if part)


def make_vocabulary(labels: str | Iterable[str], background: Sequence[str] | None = None) -> Vocabulary:
    """A vocabulary from one line of labels or from several labels. "background" among them asks for no own class."""
    names = parse_labels(labels) if isinstance(labels, str) else tuple(labels)
    words = None if background is None else tuple(background)
    return Vocabulary(tuple(n for n in names if _tidy(n).casefold() != BACKGROUND), background=words)


def _tidy(label: str) -> str:
    return " ".join(label.split())
