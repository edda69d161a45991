"""CLIP (Radford et al. 2021) as a teacher: any `CLIPModel` of `transformers`, and the bundled one.

Letters: B image, C text, L text, T token, P patch, D embedding width, H W pixels, S the teacher's own side in pixels.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor
from transformers import CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

from zeroseg.teacher.last_attention import Attend, through_layers
from zeroseg.teacher.teacher import Teacher, check_tokenizer, choose_attention, load_whole, save_whole  # fmt: skip
from zeroseg.teacher.text_encoder import TextEncoder
from zeroseg.teacher.vision_tower import VisionTower, layer_tensors

CLIP = Any  # the annotations of CLIPModel in transformers are not correct


class ClipTeacher(Teacher):
    """A CLIP: class token, projections to the shared space, texts cut to the length that its text encoder reads."""

    family = "CLIP"
    model_types = ("clip",)

    def __init__(self, model: CLIP, tokenizer: CLIPTokenizer, mean: list[float], std: list[float]) -> None:
        vision, width = model.config.vision_config, model.config.projection_dim
        size, patch_size = vision.image_size, vision.patch_size
        super().__init__(model, mean, std, size=size, patch_size=patch_size, width=width, logit_bias=None)
        self._tokenizer = tokenizer

    @classmethod
    def _load(cls, name: str) -> ClipTeacher:
        model = load_whole(CLIPModel, name)
        tokenizer = cast(CLIP, CLIPTokenizer).from_pretrained(name)
        processor = cast(CLIP, CLIPImageProcessorPil).from_pretrained(name)
        check_tokenizer(tokenizer, model.config.text_config.vocab_size, name)
        return cls(model, tokenizer, list(processor.image_mean), list(processor.image_std))

    def vision_tower(self) -> VisionTower:
        """The tower as initial weights. CLIP's last norm is for the class token; a student has it after its patches."""
        vision, weight = self._model.config.vision_config, self._model.visual_projection.weight
        tensors = encoder_tensors(self._model.vision_model.state_dict(), vision.num_hidden_layers)
        projection = {"weight": weight, "bias": weight.new_zeros(len(weight))}
        return VisionTower(
            tensors, vision.hidden_act, "vit", vision.num_hidden_layers, vision.layer_norm_eps, "linear", projection
        )

    def text_encoder(self, pretrained: bool) -> ClipTextEncoder:
        """A trainable text encoder with the sizes of this CLIP's: with its weights, or with new random ones."""
        model: CLIP = copy.deepcopy(self._model) if pretrained else CLIPModel(self._model.config)
        model.to(self.device)
        choose_attention(model)
        mean, std = self.mean.flatten().tolist(), self.std.flatten().tolist()
        return ClipTextEncoder(model, self._tokenizer, mean, std)

    def _embed_pixels(self, pixels: Float[Tensor, "B 3 S S"]) -> Float[Tensor, "B D"]:
        return self._model.get_image_features(pixel_values=pixels).pooler_output

    def _tokenize(self, texts: list[str]) -> Int[Tensor, "C T"]:
        return tokenize(self._model, self._tokenizer, texts)["input_ids"]

    def _embed_some_texts(self, texts: list[str]) -> Float[Tensor, "C D"]:
        tokens = tokenize(self._model, self._tokenizer, texts)
        return self._model.get_text_features(**tokens.to(self.device)).pooler_output

    def _embed_patches(
        self,
        pixels: Float[Tensor, "B 3 H W"],
        attend: Attend,
        keep_residual: bool,
        grid: tuple[int, int],
        position_offset: float,
    ) -> Float[Tensor, "B P D"]:
        vision = self._model.vision_model
        tokens = vision.embeddings(pixels, interpolate_pos_encoding=True)
        if position_offset:
            own = vision.embeddings.position_embedding.weight
            tokens = tokens + (enlarged_positions(own, grid, position_offset) - enlarged_positions(own, grid, 0.0))
        tokens = vision.pre_layrnorm(tokens)
        tokens = through_layers(vision.encoder.layers, tokens, attend, keep_residual, grid)
        return self._model.visual_projection(vision.post_layernorm(tokens[:, 1:]))


class ClipTextEncoder(TextEncoder):
    """The text encoder of a CLIP."""

    def __init__(self, model: CLIP, tokenizer: CLIPTokenizer, mean: list[float], std: list[float]) -> None:
        super().__init__(model, tokenizer)
        self._mean, self._std = mean, std
        model.requires_grad_(True)
        model.vision_model.requires_grad_(False)
        model.visual_projection.requires_grad_(False)

    def as_teacher(self) -> ClipTeacher:
        """A frozen copy with the current weights."""
        teacher = ClipTeacher(copy.deepcopy(self.model), self.tokenizer, self._mean, self._std)
        teacher.to(self.model.device)
        return teacher

    def save(self, folder: Path) -> None:
        """Write a CLIP as a folder of `transformers`, its weights in float16."""
        size = self.model.config.vision_config.image_size
        processor = CLIPImageProcessorPil(
            size={"shortest_edge": size},
            crop_size={"height": size, "width": size},
            image_mean=self._mean,
            image_std=self._std,
        )
        save_whole(self.model, self.tokenizer, processor, folder)

    def _tokenize(self, texts: list[str]) -> Int[Tensor, "L T"]:
        return tokenize(self.model, self.tokenizer, texts)["input_ids"]


def tokenize(model: CLIP, tokenizer: Any, texts: list[str]) -> Any:
    """Token ids (C T) and their mask as a batch of `transformers`, padded to the longest, cut to CLIP's length."""
    longest = model.config.text_config.max_position_embeddings
    return tokenizer(texts, padding=True, truncation=True, max_length=longest, return_tensors="pt")


def enlarged_positions(positions: Float[Tensor, "P1 D"], grid: tuple[int, int], offset: float) -> Float[Tensor, "T D"]:
    """The positions of the class token and of a grid of h x w patches, from those of a square grid (bicubic).

    With an `offset` they are read as on a grid of (h + offset) x (w + offset), of which the last cells stay away.
    """
    side = round((len(positions) - 1) ** 0.5)
    if grid == (side, side):
        return positions
    square = rearrange(positions[1:], "(h w) d -> 1 d h w", h=side)
    size: dict[str, Any] = {"size": grid}
    if offset:
        size = {"scale_factor": [(n + offset) / side for n in grid], "recompute_scale_factor": False}
    patches = F.interpolate(square, mode="bicubic", align_corners=False, **size)
    return torch.cat([positions[:1], rearrange(patches, "1 d h w -> (h w) d")])


def encoder_tensors(vision: Mapping[str, Tensor], layers: int) -> dict[str, Tensor]:
    """The first `layers` layers of a `CLIPVisionTransformer` state dict under the names of a student's encoder.

    CLIP's patch embedding has no bias: the student's starts at 0. Its class position is folded into the class token.
    """
    positions = vision["embeddings.position_embedding.weight"]
    weight = vision["embeddings.patch_embedding.weight"]
    tensors = {
        "embedding.weight": weight,
        "embedding.bias": torch.zeros(len(weight)),
        "class_token": (vision["embeddings.class_embedding"] + positions[0])[None, None],
        "positions": positions[None, 1:],
        "input_norm.weight": vision["pre_layrnorm.weight"],
        "input_norm.bias": vision["pre_layrnorm.bias"],
        "norm.weight": vision["post_layernorm.weight"],
        "norm.bias": vision["post_layernorm.bias"],
    }
    return tensors | layer_tensors(vision, layers)
