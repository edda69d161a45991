"""Hashes that identify a teacher's weights. They are made of float16, so a copy on disk has those of its original."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

TEXT_SIDE = "text_"  # how the names of a text tower's weights begin, in all dual encoders of `transformers`
PROBE = (
    "The quick brown fox jumps over a lazy dog", "sphinx of black quartz, judge my vow", "a photo of two zebras",
    "night sky", "traffic-lights at 7:45", "0123456789", "(\"cobblestone\") & wood/brick: 100 %?", "crème brûlée",
    "straße", "молоко", "雪山",
)  # fmt: skip
"""Texts whose token ids identify a tokenizer. They must not change: saved students have a fingerprint made of them."""


def fingerprint(model: Any) -> str:
    """A hash of all weights as float16, so that a float16 copy on disk and its float32 original have the same hash."""
    digest = hashlib.sha256()
    for name, weight in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(_float16(weight))
    return digest.hexdigest()[:16]


def text_fingerprint(model: Any, tokens: Sequence[Sequence[int]]) -> str:
    """A hash of the weights of a dual encoder's text tower as float16, and of the token ids of `PROBE`.

    Names of weights do not count: `transformers` renames them now and then.
    """
    weights = (weight for name, weight in model.state_dict().items() if name.startswith(TEXT_SIDE))
    return text_side_fingerprint(weights, tokens)


def text_side_fingerprint(weights: Iterable[Tensor], tokens: Sequence[Sequence[int]]) -> str:
    """`text_fingerprint` of the weights themselves."""
    parts = sorted(hashlib.sha256(repr(tuple(w.shape)).encode() + _float16(w)).hexdigest() for w in weights)
    return hashlib.sha256(repr((parts, [list(ids) for ids in tokens])).encode()).hexdigest()[:16]


def _float16(weight: Tensor) -> bytes:
    return weight.detach().to(torch.float16).cpu().numpy().tobytes()
