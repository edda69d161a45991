"""Options of labels: typed ones, files of them, and what to tell of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import UseAppendAction, arg

import zeroseg
from zeroseg.cli.messages import UsageError, say
from zeroseg.errors import VocabularyError

SHOWN = 8  # labels in a sentence
RIVAL = 0.9  # cosine of a label and a background word
LONG, SHOWN_OF_LONG = 60, 40  # letters: of labels that may be too long; of those in a sentence


@dataclass(frozen=True)
class LabelOptions:
    """What to look for."""

    labels: UseAppendAction[
        Annotated[tuple[str, ...], arg(metavar="WORDS", help_behavior_hint="(this or --labels-file is required)")]
    ] = ()
    """What to look for, separated by commas; quotes protect commas within a label. May be given several times."""
    labels_file: UseAppendAction[Annotated[tuple[Path, ...], arg(metavar="FILE", help_behavior_hint="")]] = ()
    """A text file with more labels, one a line, also with other words for it: `sofa: couch, settee`. Lines that begin
    with # are left out."""

    def vocabulary(self) -> zeroseg.Vocabulary:
        """The labels, typed first, then from files; background words are the model's."""
        from zeroseg.vocabulary import BACKGROUND, label_key, merged_vocabulary, parse_labels

        if not self.labels and not self.labels_file:
            raise UsageError('say what to look for, for example --labels "dog, grass" (see `zeroseg segment --help`).')
        typed = [(label, ()) for line in self.labels for label in parse_labels(line)]
        entries = [*typed, *(entry for file in self.labels_file for entry in _entries(file))]
        found = merged_vocabulary(entries)
        if any(label_key(label) == BACKGROUND for label, _ in entries):
            say('"background" is left out of the labels: it is what none of them fits, and has a number of its own.')
        return found


def say_of_labels(vocabulary: zeroseg.Vocabulary, segmenter: zeroseg.Segmenter) -> None:
    """Print which labels the teacher does not know, cuts, or cannot distinguish."""
    from zeroseg.vocabulary import same_tokens

    read = [segmenter.teacher.reading(label) for label in vocabulary.labels]
    groups = same_tokens(vocabulary.labels, segmenter.teacher.token_ids(read))
    for first, *others in groups:
        shown = ", ".join(map(repr, others[:SHOWN]))
        say(f"the teacher reads {first!r} and {shown} as the same tokens: all their pixels go to {first!r}.")
    for label in vocabulary.labels:
        if len(label) >= LONG and not any(label in group for group in groups) and _is_cut(label, vocabulary, segmenter):
            say(f"the end of the label {label[:SHOWN_OF_LONG]!r}.. is not read: the text encoder has no room for it.")
    for sentence in (*segmenter.unknown_words(vocabulary), *_rivals(vocabulary, segmenter)):
        say(sentence)


def _rivals(vocabulary: zeroseg.Vocabulary, segmenter: zeroseg.Segmenter) -> list[str]:
    """A sentence for each label of which a background word means nearly the same, and so may take its pixels.

    None for teachers that do not say which words they know: to a CLIP of the hub all texts are much alike.
    """
    from zeroseg.scoring import SCALE, similarities

    words, class_ids = segmenter.embed(vocabulary)
    labels, count = vocabulary.labels, class_ids.count(-1)
    if not count or not segmenter.read_out.background.has_background or segmenter.teacher.known_words is None:
        return []
    names = [word for word, number in vocabulary.words(segmenter.read_out.background_words) if number == -1]
    own = segmenter.words(names, vocabulary.templates)
    kept = {tuple(row.tolist()) for row in words[-count:]}
    cosines = similarities(words[: len(labels)], own).cpu() / SCALE
    return [
        f"the background word {names[number]!r} means nearly the same as the label {label!r} and may take its pixels: "
        f"leave it out of --background-words."
        for label, row in zip(labels, cosines, strict=True)
        if row[number := int(row.argmax())] > RIVAL and tuple(own[number].tolist()) in kept
    ]


def _is_cut(label: str, vocabulary: zeroseg.Vocabulary, segmenter: zeroseg.Segmenter) -> bool:
    """Whether the teacher reads the label, in the longest template, as it does without its last letter."""
    template = max(vocabulary.templates, key=len)
    whole, cut = segmenter.teacher.token_ids([template.format(text) for text in (label, label[:-1])])
    return whole == cut


def _entries(file: Path) -> Sequence[tuple[str, tuple[str, ...]]]:
    from zeroseg.vocabulary import parse_label_lines

    try:
        entries = parse_label_lines(file.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise VocabularyError(f"{str(file)!r} is not UTF-8 text: save it as UTF-8, one label a line.") from error
    except OSError as error:
        raise VocabularyError(f"the labels in {str(file)!r} cannot be read: {error.strerror}.") from error
    if len(entries) == 1 and "," in entries[0][0]:
        say(f"{str(file)!r} has one line, one label with its commas: write one label a line, or use --labels.")
    return entries
