"""The text tower of a CLIP (Radford et al. 2021) alone: a segmenter with a student needs no more of a teacher.

It reads the same folders as `Teacher`, without the library `transformers`, whose import takes longer than all else
before a first mask. What it cannot read exactly is left to `Teacher`.

Letters: C text, T token, D embedding width, F width of a layer, H head, K width of a head.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from tokenizers import Tokenizer
from torch import Tensor

from zeroseg.hub import folder_of
from zeroseg.teacher.fingerprints import PROBE, TEXT_SIDE, text_side_fingerprint
from zeroseg.teacher.text_tower import TextTower, read_known_words

if TYPE_CHECKING:
    from zeroseg.teacher.teacher import Teacher

KINDS = {"clip": "", "vision-text-dual-encoder": "clip_text_model"}  # and what the text tower's config must say
SCALE, LAYER = "logit_scale", "text_model.encoder.layers.{}."
LARGEST = 2  # as the last token: CLIPs of OpenAI say so, and mean the one with the largest number
SIZES = {
    "max_position_embeddings": 77, "num_hidden_layers": 12, "num_attention_heads": 8, "layer_norm_eps": 1e-5,
    "hidden_act": "quick_gelu", "eos_token_id": 49407,
}  # fmt: skip
"""What a config means that does not say them."""
ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "quick_gelu": lambda values: values * torch.sigmoid(1.702 * values),
}


class ClipText(TextTower):
    """The text tower of a CLIP, or of a LiT with a CLIP's text tower, in float32."""

    def __init__(self, folder: Path) -> None:
        """Raises `ValueError`, `KeyError`, `OSError` or `SafetensorError` for a folder that it cannot read."""
        self._folder = folder
        config: dict[str, Any] = _json(folder / "config.json")
        own = config.get("text_config") or {}
        kind = KINDS.get(config.get("model_type", ""))
        if kind is None or "text_config_dict" in config or (kind and own.get("model_type") != kind):
            raise ValueError("another text tower, or a config of an early form")
        self._sizes: dict[str, Any] = SIZES | {name: own[name] for name in SIZES if name in own}
        self._activation = ACTIVATIONS[self._sizes["hidden_act"]]
        with safe_open(folder / "model.safetensors", "pt") as file:
            names = list(file.keys())
            ours = [name for name in names if name.startswith((TEXT_SIDE, SCALE))]
            self._weights = {name: file.get_tensor(name).float() for name in ours}
        self.logit_scale = float(self._weights.pop(SCALE).exp())
        self.logit_bias, self.width = None, len(self._weights["text_projection.weight"])
        self.mean = torch.tensor(_json(folder / "preprocessor_config.json")["image_mean"]).view(3, 1, 1)
        self.known_words = read_known_words(folder)
        self._tokenizer = _tokenizer(folder, self._sizes["max_position_embeddings"])

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        return self._weights["text_projection.weight"].device

    @property
    def fingerprint(self) -> str:
        """A hash of all weights, for which the whole teacher is loaded."""
        return self.whole.fingerprint

    @property
    def text_fingerprint(self) -> str:
        """That of the teacher (see `TextTower`)."""
        return self._text_fingerprint

    @cached_property
    def _text_fingerprint(self) -> str:
        return text_side_fingerprint(self._weights.values(), self.token_ids(PROBE))

    @property
    def whole(self) -> Teacher:
        """The teacher with its image tower, loaded when it is first asked for. Raises `TeacherError`."""
        return self._whole

    @cached_property
    def _whole(self) -> Teacher:
        from zeroseg.teacher.families import Teacher

        return Teacher.from_pretrained(self._folder).to(self.device)

    def to(self, device: torch.device | str) -> ClipText:
        """Move the weights; returns itself."""
        self._weights = {name: weight.to(device) for name, weight in self._weights.items()}
        self.mean = self.mean.to(device)
        return self

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """The token ids of texts as they are embedded: cut to the length of the tower, and padded."""
        return [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]

    def _embed_some_texts(self, texts: list[str]) -> Float[Tensor, "C D"]:
        tokens = torch.tensor(self.token_ids(texts), device=self.device)
        weights, end = self._weights, self._sizes["eos_token_id"]
        positions = weights["text_model.embeddings.position_embedding.weight"][: tokens.shape[1]]
        values = weights["text_model.embeddings.token_embedding.weight"][tokens] + positions
        for number in range(self._sizes["num_hidden_layers"]):
            values = self._layer(values, LAYER.format(number))
        values = self._norm(values, "text_model.final_layer_norm")
        last = (tokens if end == LARGEST else (tokens == end).int()).argmax(dim=1)
        return values[torch.arange(len(tokens), device=self.device), last] @ weights["text_projection.weight"].T

    def _layer(self, values: Float[Tensor, "C T F"], name: str) -> Float[Tensor, "C T F"]:
        """A layer, in which a token attends to those before it: what is padded does not count."""
        normed = self._norm(values, f"{name}layer_norm1")
        queries, keys, contents = (self._heads(normed, f"{name}self_attn.{part}_proj") for part in "qkv")
        attended = F.scaled_dot_product_attention(queries, keys, contents, is_causal=True)
        values = values + self._linear(rearrange(attended, "c h t k -> c t (h k)"), f"{name}self_attn.out_proj")
        hidden = self._activation(self._linear(self._norm(values, f"{name}layer_norm2"), f"{name}mlp.fc1"))
        return values + self._linear(hidden, f"{name}mlp.fc2")

    def _heads(self, values: Float[Tensor, "C T F"], name: str) -> Float[Tensor, "C H T K"]:
        return rearrange(self._linear(values, name), "c t (h k) -> c h t k", h=self._sizes["num_attention_heads"])

    def _linear(self, values: Tensor, name: str) -> Tensor:
        return F.linear(values, self._weights[f"{name}.weight"], self._weights[f"{name}.bias"])

    def _norm(self, values: Tensor, name: str) -> Tensor:
        weight, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        return F.layer_norm(values, (len(weight),), weight, bias, self._sizes["layer_norm_eps"])


def load_text_tower(name: str | Path, device: str, text_fingerprint: str = "") -> TextTower:
    """The text tower of a teacher (a bundled one, a folder or a hub name), with a fingerprint if one is known.

    Alone if it can be read so, else with all of the teacher. Raises `TeacherError`.
    """
    alone = read_clip_text(folder_of(name, "teacher"), text_fingerprint) if text_fingerprint else None
    if alone is not None:
        return alone.to(device)
    from zeroseg.teacher.families import Teacher

    return Teacher.from_pretrained(name).to(device)


def read_clip_text(folder: Path, text_fingerprint: str) -> ClipText | None:
    """The text tower of a folder if it can be read exactly: if its fingerprint is the one that is known; else None."""
    try:
        tower = ClipText(folder)
        return tower if tower.text_fingerprint == text_fingerprint else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, SafetensorError):
        return None


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _tokenizer(folder: Path, longest: int) -> Tokenizer:
    path = folder / "tokenizer.json"
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises no other kind
        raise ValueError(f"{path} is no tokenizer") from error
    padding = _json(folder / "tokenizer_config.json").get("pad_token", "<|endoftext|>")
    padding = padding["content"] if isinstance(padding, dict) else padding
    tokenizer.enable_truncation(longest)
    tokenizer.enable_padding(pad_id=tokenizer.token_to_id(padding), pad_token=padding)
    return tokenizer
