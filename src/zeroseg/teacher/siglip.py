"""SigLIP (Zhai et al. 2023) and SigLIP 2 (Tschannen et al. 2025) as teachers, in the format of `transformers`.

Checkpoints of a fixed resolution, also those of SigLIP 2, have the model type "siglip". NaFlex checkpoints, which read
pictures of any shape, have "siglip2"; they get squares, like all teachers. Texts are padded to the full length, as in
training: the text encoder uses its last token, even if that is padding, and masks nothing.

Letters: B image, C text, L text, T token, P patch, I value of a patch, E width of the tower, D embedding width, H W
pixels, S the teacher's own side in pixels.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from math import isqrt, log
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor
from transformers import (
    AutoModel,
    PreTrainedTokenizerFast,
    Siglip2ImageProcessorPil,
    SiglipImageProcessorPil,
    SiglipTokenizer,
)  # fmt: skip
from transformers.models.auto.tokenization_auto import get_tokenizer_config

from zeroseg.errors import TeacherError
from zeroseg.teacher.last_attention import Attend, through_layers
from zeroseg.teacher.teacher import Teacher, check_tokenizer, choose_attention, load_whole, save_whole
from zeroseg.teacher.text_encoder import TextEncoder
from zeroseg.teacher.vision_tower import VisionTower, layer_tensors

SIGLIP = Any  # the annotations of these models in transformers are not correct
FIRST_SCALE, FIRST_BIAS = 10.0, -10.0  # of an untrained model (Zhai et al. 2023, section 3.2)
NAFLEX = "siglip2"


class SiglipTeacher(Teacher):
    """A SigLIP: no class token, images pooled by attention, sigmoid scores, texts in lower case."""

    family = "SigLIP"
    model_types = ("siglip", NAFLEX)

    def __init__(self, model: SIGLIP, tokenizer: Any, mean: list[float], std: list[float]) -> None:
        vision = model.config.vision_config
        naflex = model.config.model_type == NAFLEX
        super().__init__(
            model,
            mean,
            std,
            size=isqrt(vision.num_patches) * vision.patch_size if naflex else vision.image_size,
            patch_size=vision.patch_size,
            width=vision.hidden_size,
            logit_bias=float(model.logit_bias.detach()),
        )
        self._tokenizer, self._naflex = tokenizer, naflex

    @classmethod
    def _load(cls, name: str) -> SiglipTeacher:
        model = load_whole(AutoModel, name)
        if not model.config.vision_config.vision_use_head:
            raise TeacherError(f"the SigLIP in {name!r} cannot embed images, it has no pooling head: name another.")
        tokenizer = load_tokenizer(name)
        check_tokenizer(tokenizer, model.config.text_config.vocab_size, name)
        of_kind = Siglip2ImageProcessorPil if model.config.model_type == NAFLEX else SiglipImageProcessorPil
        processor = cast(SIGLIP, of_kind).from_pretrained(name)
        return cls(model, tokenizer, list(processor.image_mean), list(processor.image_std))

    def vision_tower(self) -> VisionTower:
        """The tower as initial weights, of a student without class token; the pooling head for its patches."""
        vision, model = self._model.config.vision_config, self._model.vision_model
        tensors = encoder_tensors(model.state_dict(), vision.num_hidden_layers, vision.patch_size)
        projection = pooled_tensors(model.head)
        return VisionTower(
            tensors, vision.hidden_act, "vit", vision.num_hidden_layers, vision.layer_norm_eps, "pooled", projection
        )

    def text_encoder(self, pretrained: bool) -> SiglipTextEncoder:
        """A trainable text encoder with the sizes of this SigLIP's: with its weights, or with new random ones."""
        model: SIGLIP = copy.deepcopy(self._model) if pretrained else type(self._model)(self._model.config)
        if not pretrained:
            with torch.no_grad():
                model.logit_scale.fill_(log(FIRST_SCALE))
                model.logit_bias.fill_(FIRST_BIAS)
        model.to(self.device)
        choose_attention(model)
        mean, std = self.mean.flatten().tolist(), self.std.flatten().tolist()
        return SiglipTextEncoder(model, self._tokenizer, mean, std)

    def _embed_pixels(self, pixels: Float[Tensor, "B 3 S S"]) -> Float[Tensor, "B D"]:
        return self._model.get_image_features(**self._seen(pixels)).pooler_output

    def _tokenize(self, texts: list[str]) -> Int[Tensor, "C T"]:
        return tokenize(self._model, self._tokenizer, texts)

    def _embed_some_texts(self, texts: list[str]) -> Float[Tensor, "C D"]:
        tokens = self._tokenize(texts).to(self.device)
        return self._model.get_text_features(input_ids=tokens).pooler_output

    def _embed_patches(
        self,
        pixels: Float[Tensor, "B 3 H W"],
        attend: Attend,
        keep_residual: bool,
        grid: tuple[int, int],
        position_offset: float,
    ) -> Float[Tensor, "B P D"]:
        del position_offset  # no published read-out of a SigLIP has one
        vision = self._model.vision_model
        any_size = {} if self._naflex else {"interpolate_pos_encoding": True}
        tokens = vision.embeddings(**self._seen(pixels), **any_size)
        tokens = through_layers(vision.encoder.layers, tokens, attend, keep_residual, grid)
        return pool_each(vision.head, vision.post_layernorm(tokens))

    def _seen(self, pixels: Float[Tensor, "B 3 H W"]) -> dict[str, Tensor]:
        """Normalised pixels as arguments of the vision tower: NaFlex takes patches and the shape of their grid."""
        if not self._naflex:
            return {"pixel_values": pixels}
        patches = to_patches(pixels, self.patch_size)
        grid = torch.tensor([[pixels.shape[2] // self.patch_size, pixels.shape[3] // self.patch_size]])
        return {"pixel_values": patches, "spatial_shapes": grid.to(pixels.device).expand(len(pixels), -1)}


class SiglipTextEncoder(TextEncoder):
    """The text encoder of a SigLIP. Its bias on logits is not trained: the contrastive loss does not use it."""

    def __init__(self, model: SIGLIP, tokenizer: Any, mean: list[float], std: list[float]) -> None:
        super().__init__(model, tokenizer)
        self._mean, self._std = mean, std
        model.requires_grad_(True)
        model.vision_model.requires_grad_(False)
        model.logit_bias.requires_grad_(False)

    def as_teacher(self) -> SiglipTeacher:
        """A frozen copy with the current weights."""
        teacher = SiglipTeacher(copy.deepcopy(self.model), self.tokenizer, self._mean, self._std)
        teacher.to(self.model.device)
        return teacher

    def save(self, folder: Path) -> None:
        """Write a SigLIP as a folder of `transformers`, its weights in float16."""
        vision, pixels = self.model.config.vision_config, {"image_mean": self._mean, "image_std": self._std}
        if self.model.config.model_type == NAFLEX:
            sizes = {"patch_size": vision.patch_size, "max_num_patches": vision.num_patches}
            processor = cast(SIGLIP, Siglip2ImageProcessorPil)(**sizes, **pixels)
        else:
            side = {"height": vision.image_size, "width": vision.image_size}
            processor = cast(SIGLIP, SiglipImageProcessorPil)(size=side, **pixels)
        save_whole(self.model, self.tokenizer, processor, folder)

    def _tokenize(self, texts: list[str]) -> Int[Tensor, "L T"]:
        return tokenize(self.model, self.tokenizer, texts)


def load_tokenizer(name: str) -> Any:
    """The tokenizer of a SigLIP: SentencePiece (SigLIP) or Gemma's (SigLIP 2), as its tokenizer_config.json says.

    Raises `TeacherError` if it needs SentencePiece and that is not installed.
    """
    kind = cast(SIGLIP, get_tokenizer_config)(name).get("tokenizer_class")
    if kind != "SiglipTokenizer":
        return cast(SIGLIP, PreTrainedTokenizerFast).from_pretrained(name)
    try:
        return cast(SIGLIP, SiglipTokenizer).from_pretrained(name)
    except ImportError as error:
        raise TeacherError(
            f'the tokenizer of the SigLIP in {name!r} needs sentencepiece and protobuf: pip install "zeroseg[siglip]".'
        ) from error


def tokenize(model: SIGLIP, tokenizer: Any, texts: list[str]) -> Int[Tensor, "C T"]:
    """Token ids, padded on the right and cut to the full length.

    Texts are converted to lower case, unless the tokenizer's config says otherwise (`do_lower_case`): Gemma's tokenizer
    would keep capitals, but SigLIP 2 was trained without them.
    """
    if tokenizer.init_kwargs.get("do_lower_case", True):
        texts = [text.lower() for text in texts]
    length = model.config.text_config.max_position_embeddings
    tokens = tokenizer(
        texts, padding="max_length", padding_side="right", truncation=True, max_length=length, return_tensors="pt"
    )
    return tokens["input_ids"]


def pool_each(head: Any, tokens: Float[Tensor, "B P E"]) -> Float[Tensor, "B P D"]:
    """The output of the pooling head for each patch as the only token: attention to one token returns its value."""
    attention = head.attention
    value = slice(2 * attention.embed_dim, None)  # after the queries' and the keys'
    values = F.linear(tokens, attention.in_proj_weight[value], attention.in_proj_bias[value])
    pooled = attention.out_proj(values)
    return pooled + head.mlp(head.layernorm(pooled))


def pooled_tensors(head: Any) -> dict[str, Tensor]:
    """The pooling head for one token (`pool_each`) under the names of a student's `Pooled`.

    Values and output are two linear layers in a row: one layer does the same.
    """
    attention, mlp = head.attention, head.mlp
    value = slice(2 * attention.embed_dim, None)
    weight, bias = attention.in_proj_weight[value], attention.in_proj_bias[value]
    out = attention.out_proj
    return {
        "linear.weight": out.weight @ weight,
        "linear.bias": out.weight @ bias + out.bias,
        "norm.weight": head.layernorm.weight,
        "norm.bias": head.layernorm.bias,
        "mlp.first.weight": mlp.fc1.weight,
        "mlp.first.bias": mlp.fc1.bias,
        "mlp.second.weight": mlp.fc2.weight,
        "mlp.second.bias": mlp.fc2.bias,
    }


def encoder_tensors(vision: Mapping[str, Tensor], layers: int, patch: int) -> dict[str, Tensor]:
    """The layers of a SigLIP's vision tower under the names of a student's encoder without class token.

    NaFlex embeds patches (`to_patches`) with a linear layer: it is the same as a convolution.
    """
    weight = vision["embeddings.patch_embedding.weight"]
    if weight.ndim == 2:
        weight = rearrange(weight, "d (p q c) -> d c p q", p=patch, q=patch)
    return {
        "embedding.weight": weight,
        "embedding.bias": vision["embeddings.patch_embedding.bias"],
        "positions": vision["embeddings.position_embedding.weight"][None],
        "norm.weight": vision["post_layernorm.weight"],
        "norm.bias": vision["post_layernorm.bias"],
    } | layer_tensors(vision, layers)


def to_patches(pixels: Float[Tensor, "B 3 H W"], patch: int) -> Float[Tensor, "B P I"]:
    """Images as patches, row by row; a patch's pixels row by row, each with its three values: NaFlex's order."""
    return rearrange(pixels, "b c (h p) (w q) -> b (h w) (p q c)", p=patch, q=patch)
