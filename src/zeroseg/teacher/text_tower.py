"""What embeds words: a teacher, or the text encoder of one alone.

Letters: C text, D embedding width.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from zeroseg.known_words import KnownWords

if TYPE_CHECKING:
    from zeroseg.teacher.teacher import Teacher

KNOWN_WORDS = "known_words.txt"
TEXTS_AT_ONCE = 256


class TextTower(ABC):
    """What a segmenter needs of a teacher. `Teacher` says what `width`, `mean`, `logit_scale` and `logit_bias` are."""

    width: int
    mean: Tensor
    logit_scale: float
    logit_bias: float | None
    known_words: KnownWords | None = None
    """The words that it has learned; None if its folder has no known_words.txt."""

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """Where its embeddings are."""

    @property
    @abstractmethod
    def whole(self) -> Teacher | None:
        """The teacher with its image tower; None if there is none."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """A hash of all weights."""

    @property
    @abstractmethod
    def text_fingerprint(self) -> str:
        """A hash of the text tower's weights and of its tokenizer, which identifies the teacher of a student."""

    @torch.inference_mode()
    def embed_texts(self, texts: Sequence[str]) -> Float[Tensor, "C D"]:
        """Embeddings of texts, normalised to length 1. Texts that are longer than the tower can read are cut."""
        starts = range(0, len(texts), TEXTS_AT_ONCE)
        some = [self._embed_some_texts(list(texts[start : start + TEXTS_AT_ONCE])).float() for start in starts]
        return torch.cat([F.normalize(one, dim=-1) for one in some])

    @abstractmethod
    def _embed_some_texts(self, texts: list[str]) -> Float[Tensor, "C D"]:
        """Embeddings of the texts of one batch, not normalised."""

    @abstractmethod
    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """The token ids of texts as they are embedded: cut to the length of the text encoder, and padded."""

    def reading(self, label: str) -> str:
        """The text that it reads for a label: the label itself, or the form of it that it has learned."""
        return label if self.known_words is None else self.known_words.reading(label)


def read_known_words(folder: Path) -> KnownWords | None:
    """The words that the teacher in a folder has learned; None if it does not say."""
    path = folder / KNOWN_WORDS
    return KnownWords.parse(path.read_text(encoding="utf-8")) if path.is_file() else None
