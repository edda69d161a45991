"""The tokenizer of a teacher as one file, with the length to which it cuts and pads texts."""

from __future__ import annotations

from typing import Any

from tokenizers import Tokenizer, normalizers

from zeroseg.errors import TeacherError
from zeroseg.known_words import KnownWords
from zeroseg.teacher import Teacher
from zeroseg.teacher.fingerprints import PROBE

LONG = "a " * 1000  # a text longer than any text encoder reads
COMPARED = 200  # known words whose token ids must be equal


def longest(teacher: Teacher) -> int:
    """How many tokens its text encoder reads."""
    return len(teacher.token_ids([LONG])[0])


def pads_fully(teacher: Teacher) -> bool:
    """Whether all texts are padded to that length (SigLIP), or only to the longest of a batch."""
    return len(teacher.token_ids(["a"])[0]) == longest(teacher)


def as_file(teacher: Teacher, tokenizer: Any) -> str:
    """The text of a tokenizer.json that alone gives the token ids of a teacher.

    `tokenizer`: the teacher's, of `transformers`. Raises `TeacherError` for one without the form of the library
    `tokenizers`, or if the file gives other ids.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if not isinstance(backend, Tokenizer):
        raise TeacherError("the tokenizer of this teacher has no tokenizer.json, so it cannot be exported.")
    alone = Tokenizer.from_str(backend.to_str())
    most = longest(teacher)
    alone.enable_truncation(most)
    alone.enable_padding(
        pad_id=tokenizer.pad_token_id, pad_token=tokenizer.pad_token, length=most if pads_fully(teacher) else None
    )
    texts = [*PROBE, *_some(teacher.known_words)]
    if not _equal(alone, teacher, texts):  # SigLIP's are given texts in lower case
        lower, own = normalizers.Lowercase(), alone.normalizer
        alone.normalizer = lower if own is None else normalizers.Sequence([lower, own])
    if not _equal(alone, teacher, texts):
        raise TeacherError("the tokenizer of this teacher depends on code of its own, so it cannot be exported.")
    return alone.to_str()


def _some(known: KnownWords | None) -> list[str]:
    return sorted(known.names)[:COMPARED] if known is not None else []


def _equal(tokenizer: Tokenizer, teacher: Teacher, texts: list[str]) -> bool:
    return [found.ids for found in tokenizer.encode_batch(texts)] == teacher.token_ids(texts)
