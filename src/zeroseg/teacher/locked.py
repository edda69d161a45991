"""LiT (Zhai et al. 2022) as a teacher: a locked image tower, and a text tower that was tuned to it.

The format is the `VisionTextDualEncoderModel` of `transformers`. The image tower is any of its vision models with a
pooled output: ViT, DINOv2, ConvNeXt, or our EfficientNet-Lite. What it knows of images comes from its own pretraining:
an EfficientNet-Lite has learned the class labels of ImageNet, and no captions. `zeroseg teach --tower` makes a LiT.

Letters: B image, C text, L text, T token, P patch, D embedding width, H W pixels, S the teacher's own side in pixels.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, cast

from jaxtyping import Float, Int
from torch import Tensor
from transformers import AutoTokenizer, CLIPTokenizer, VisionTextDualEncoderModel

from zeroseg.teacher.clip import tokenize
from zeroseg.teacher.image_tower import ImageTower, image_processor, read_pixel_settings
from zeroseg.teacher.last_attention import Attend
from zeroseg.teacher.lite_tower import EfficientNetLiteConfig
from zeroseg.teacher.teacher import Teacher, check_tokenizer, choose_attention, load_whole, save_whole  # fmt: skip
from zeroseg.teacher.text_encoder import TextEncoder
from zeroseg.teacher.vision_tower import VisionTower

LIT = Any  # the annotations of these models in transformers are not correct
CLIP_TEXT = "clip_text_model"  # the model type of a CLIP's text tower


class LockedTeacher(Teacher):
    """A LiT. Images are resized to the size in its image processor, which need not be the tower's native one.

    In the dense read-out, each position of the tower's last layer is projected as if it were the pooled output. Other
    dense methods change the last attention, which a convolutional tower does not have.
    """

    family = "LiT"
    model_types = ("vision-text-dual-encoder",)
    dense_methods = ("maskclip",)

    def __init__(self, model: LIT, tokenizer: Any, mean: list[float], std: list[float], size: int) -> None:
        """`size`: side in pixels of the images that the tower is given."""
        self._tower = ImageTower(model.vision_model)
        width = model.config.projection_dim
        super().__init__(model, mean, std, size=size, patch_size=self._tower.stride, width=width, logit_bias=None)
        self._tokenizer = tokenizer

    @classmethod
    def _load(cls, name: str) -> LockedTeacher:
        mean, std, size = read_pixel_settings(name)
        model = load_whole(VisionTextDualEncoderModel, name)
        text = model.config.text_config
        kind = CLIPTokenizer if text.model_type == CLIP_TEXT else AutoTokenizer
        tokenizer = cast(LIT, kind).from_pretrained(name)
        check_tokenizer(tokenizer, text.vocab_size, name)
        return cls(model, tokenizer, mean, std, size)

    def vision_tower(self) -> VisionTower | None:
        """The tensors of an `EfficientNetLite`; None for other towers."""
        vision = self._model.config.vision_config
        if not isinstance(vision, EfficientNetLiteConfig):
            return None
        return VisionTower(self._tower.model.tower.state_dict(), "relu6", f"efficientnet_{vision.variant}")

    def text_encoder(self, pretrained: bool) -> LockedTextEncoder:
        """A trainable text encoder with the sizes of this LiT's: with its weights, or with new random ones."""
        model: LIT = copy.deepcopy(self._model) if pretrained else VisionTextDualEncoderModel(self._model.config)
        model.to(self.device)
        choose_attention(model)
        mean, std = self.mean.flatten().tolist(), self.std.flatten().tolist()
        return LockedTextEncoder(model, self._tokenizer, mean, std, self.size)

    def _embed_pixels(self, pixels: Float[Tensor, "B 3 S S"]) -> Float[Tensor, "B D"]:
        return self._model.visual_projection(self._tower.pooled(pixels))

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
        del attend, keep_residual, position_offset  # the tower stays as it is
        return self._model.visual_projection(self._tower.positions(pixels, grid))


class LockedTextEncoder(TextEncoder):
    """The text encoder of a LiT; its image tower and the projection of images stay as they are."""

    def __init__(self, model: LIT, tokenizer: Any, mean: list[float], std: list[float], size: int) -> None:
        super().__init__(model, tokenizer)
        self._mean, self._std, self._size = mean, std, size
        model.requires_grad_(True)
        model.vision_model.requires_grad_(False)
        model.visual_projection.requires_grad_(False)

    def as_teacher(self) -> LockedTeacher:
        """A frozen copy with the current weights."""
        teacher = LockedTeacher(copy.deepcopy(self.model), self.tokenizer, self._mean, self._std, self._size)
        teacher.to(self.model.device)
        return teacher

    def save(self, folder: Path) -> None:
        """Write a LiT as a folder of `transformers`, its weights in float16."""
        save_whole(self.model, self.tokenizer, image_processor(self._mean, self._std, self._size), folder)

    def embed(self, tokens: Int[Tensor, "L T"]) -> Float[Tensor, "L D"]:
        """Embeddings of texts, not normalised. Padding is masked where it has a token of its own (not in CLIP)."""
        padding, end = self.tokenizer.pad_token_id, self.tokenizer.eos_token_id
        mask = None if padding == end else (tokens != padding).long()
        return self.model.get_text_features(input_ids=tokens, attention_mask=mask).pooler_output.float()

    def _tokenize(self, texts: list[str]) -> Int[Tensor, "L T"]:
        return tokenize(self.model, self.tokenizer, texts)["input_ids"]
