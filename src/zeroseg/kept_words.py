"""Embeddings of words on disk, so that a large vocabulary is embedded once and not in every run.

They are in the user's cache folder, `words/`: a file for each list of texts and text encoder, named by a hash of both.
A folder that cannot be written to is no error, and a damaged file is written anew.

Letters: C text, D embedding width.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from zeroseg.errors import OutputError
from zeroseg.files import user_cache, write_bytes_atomically

FEWEST = 64  # texts: fewer are embedded as fast as they are read
MOST = 200  # files; those that were used longest ago go


def kept_embeddings(encoder: str, texts: Sequence[str]) -> Float[Tensor, "C D"] | None:
    """The embeddings of texts; None if there are none. `encoder`: what identifies the text encoder."""
    if len(texts) < FEWEST:
        return None
    try:
        path = _path(encoder, texts)
        found = load_file(path)["texts"]
        path.touch()
    except (OSError, SafetensorError, KeyError, RuntimeError):
        return None
    return found if len(found) == len(texts) else None


def keep_embeddings(encoder: str, texts: Sequence[str], embeddings: Float[Tensor, "C D"]) -> None:
    """Write embeddings for `kept_embeddings`, if there are enough texts and the folder can be written to."""
    if len(texts) < FEWEST:
        return
    with suppress(OutputError, OSError, RuntimeError):  # without a home folder there is a RuntimeError
        path = _path(encoder, texts)
        write_bytes_atomically(path, save({"texts": embeddings.cpu().contiguous()}))
        files = sorted(path.parent.glob("*.safetensors"), key=lambda file: file.stat().st_mtime)
        for file in files[:-MOST]:
            file.unlink(missing_ok=True)


def _path(encoder: str, texts: Sequence[str]) -> Path:
    digest = hashlib.sha256(json.dumps([encoder, *texts]).encode()).hexdigest()[:32]
    return user_cache() / "words" / f"{digest}.safetensors"
