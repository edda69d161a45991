"""A trainable text encoder: text supervision trains it together with a student.

Letters: L text, T token, D embedding width.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

if TYPE_CHECKING:
    from zeroseg.teacher.teacher import Teacher

LARGEST_SCALE = 100.0  # the largest factor on cosines in training (Radford et al. 2021, section 2.5)


class TextEncoder(nn.Module, ABC):
    """A text encoder of the same form as a teacher's, with its own trainable weights.

    It contains a complete model of the family, so that it can be saved and loaded as a teacher; the vision tower in it
    is neither used nor trained.
    """

    def __init__(self, model: Any, tokenizer: Any) -> None:
        """`model` and `tokenizer`: of `transformers`."""
        super().__init__()
        self.model: Any = model
        self.tokenizer: Any = tokenizer

    def tokenize(self, texts: Sequence[str]) -> Int[Tensor, "L T"]:
        """Token ids of texts, padded to one length; texts that are longer than the encoder can read are cut."""
        return self._tokenize(list(texts)) if texts else torch.zeros(0, 1, dtype=torch.long)

    def embed(self, tokens: Int[Tensor, "L T"]) -> Float[Tensor, "L D"]:
        """Embeddings of texts, not normalised."""
        return self.model.get_text_features(input_ids=tokens).pooler_output.float()

    def logit_scale(self) -> Float[Tensor, ""]:
        """The learned factor on cosines, `LARGEST_SCALE` at most."""
        return self.model.logit_scale.exp().clamp(max=LARGEST_SCALE).squeeze()

    @abstractmethod
    def as_teacher(self) -> Teacher:
        """A frozen copy with the current weights."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write a folder that `Teacher.from_pretrained` reads, with weights in float16. Raises `OutputError`."""

    @abstractmethod
    def _tokenize(self, texts: list[str]) -> Int[Tensor, "L T"]: ...
