"""MaskCLIP (Zhou et al. 2022): dense predictions of a CLIP that was never trained for them.

Letters: B image, P patch, D embedding width, H W pixels.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from zeroseg.segmenter import Encoded
from zeroseg.student.encoder import resize_positions
from zeroseg.teacher import Teacher


class MaskCLIP:
    """The value path of the last layer: each patch attends to itself alone. An `ImageEncoder`."""

    def __init__(self, teacher: Teacher, shorter_side: int) -> None:
        """`shorter_side`: what images are resized to, pixels; positions are interpolated."""
        self.teacher = teacher
        self.shorter_side = shorter_side
        self.multiple: int = teacher.model.config.vision_config.patch_size

    def encode(self, pixels: Float[Tensor, "1 3 H W"], size: tuple[int, int]) -> Encoded:
        """One embedding a patch."""
        patches = self.patches(pixels)[0]
        grid = (pixels.shape[2] // self.multiple, pixels.shape[3] // self.multiple)
        image = self.teacher.embed_images(pixels)[0]
        return Encoded(image, patches, None, None, torch.zeros_like(image), grid, size)

    @torch.inference_mode()
    def patches(self, pixels: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B P D"]:
        """Patch embeddings in the shared space, not normalised."""
        vision = self.teacher.model.vision_model
        embeddings = vision.embeddings
        x = embeddings.patch_embedding((pixels.to(self.teacher.device) - self.teacher.mean) / self.teacher.std)
        h, w = x.shape[-2:]
        positions = embeddings.position_embedding.weight[None]
        x = x.flatten(2).transpose(1, 2) + resize_positions(positions[:, 1:], h, w)
        class_token = embeddings.class_embedding + positions[:, :1]
        x = vision.pre_layrnorm(torch.cat([class_token.expand(len(x), -1, -1), x], dim=1))
        *layers, last = vision.encoder.layers
        for layer in layers:
            output = layer(x, None)
            x = output if isinstance(output, Tensor) else output[0]
        attention = last.self_attn
        x = x + attention.out_proj(attention.v_proj(last.layer_norm1(x)))
        x = x + last.mlp(last.layer_norm2(x))
        return self.teacher.model.visual_projection(vision.post_layernorm(x[:, 1:]))
