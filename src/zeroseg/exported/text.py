"""The exported text encoder of a teacher.

Letters: C text, D embedding width.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from tokenizers import Tokenizer
from torch import Tensor

from zeroseg.errors import WeightsError
from zeroseg.exported.folder import EMBEDDINGS, TEXT, TOKENIZER, TOKENS, Description
from zeroseg.exported.networks import open_network
from zeroseg.teacher import TextTower
from zeroseg.teacher.text_tower import read_known_words


class ExportedText(TextTower):
    """What a segmenter needs of a teacher, from its exported text encoder: on the CPU."""

    def __init__(self, folder: Path, description: Description) -> None:
        """Raises `WeightsError` if the network or the tokenizer cannot be read."""
        text = description.text
        self.width, self.logit_scale, self.logit_bias = text.width, text.logit_scale, text.logit_bias
        self.mean = torch.tensor(text.mean).view(3, 1, 1)
        self.known_words = read_known_words(folder)
        self._fingerprints = description.fingerprint, text.text_fingerprint
        self._network = open_network(description.path(folder, TEXT), description.runtime)
        try:
            self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        except Exception as error:  # the library raises no other kind
            raise WeightsError(f"{folder / TOKENIZER} cannot be read ({error}): export the model again.") from error

    @property
    def device(self) -> torch.device:
        """The CPU."""
        return torch.device("cpu")

    @property
    def whole(self) -> None:
        """An export has none."""

    @property
    def fingerprint(self) -> str:
        """A hash of all files of the exported model."""
        return self._fingerprints[0]

    @property
    def text_fingerprint(self) -> str:
        """That of the teacher (see `TextTower`)."""
        return self._fingerprints[1]

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """The token ids of texts as the encoder embeds them: cut to its length, and padded."""
        return [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]

    def _embed_some_texts(self, texts: list[str]) -> Float[Tensor, "C D"]:
        tokens = np.array(self.token_ids(texts), dtype=np.int64)
        return torch.from_numpy(self._network.run(**{TOKENS: tokens})[EMBEDDINGS])
