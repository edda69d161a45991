"""The networks of an exported model, as modules that `torch.export` can follow.

Letters: B image, P patch, S segment, R region, W word, C text, T token, D embedding width, H W pixels, h w patches.
"""

from __future__ import annotations

import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

from zeroseg import scoring
from zeroseg.exported.folder import EMBEDDINGS, OUTPUTS, PATCHES, SIMILARITIES
from zeroseg.student import Student
from zeroseg.teacher import Teacher


class ImageNetwork(nn.Module):
    """From pixels (values 0..1, sides multiples of the patch size) to what `encoding.Encoded` needs of a picture."""

    def __init__(self, student: Student) -> None:
        super().__init__()
        self.student = student

    def forward(self, pixels: Float[Tensor, "B 3 H W"]) -> dict[str, Tensor]:
        """`image` (B D), `segments` (B S D) and `patches` (B P D) in the teacher's space, `masks` (B S h w).

        `teacher_mean` (D): the mean of the teacher's embeddings, which is in all of them. Without a patch head, there
        are no `patches`.
        """
        output, in_teacher_space = self.student(pixels), self.student.in_teacher_space
        masks = rearrange(output.masks, "b s (h w) -> b s h w", h=pixels.shape[2] // self.student.config.patch_size)
        mean = self.student.target_mean + 0.0  # a result of its own: no runtime returns a weight
        regions = in_teacher_space(output.image), in_teacher_space(output.segments), masks, mean
        found: dict[str, Tensor] = dict(zip(OUTPUTS, regions, strict=True))
        return found if output.patches is None else found | {PATCHES: in_teacher_space(output.patches)}


class TextNetwork(nn.Module):
    """From the token ids of texts to their embeddings."""

    def __init__(self, teacher: Teacher) -> None:
        super().__init__()
        self.encoder = teacher.text_encoder(pretrained=True)
        self.encoder.model.vision_model = nn.Identity()  # a copy of the whole model: only its text tower is exported
        self.encoder.model.visual_projection = nn.Identity()
        self.requires_grad_(False)

    def forward(self, tokens: Int[Tensor, "C T"]) -> dict[str, Tensor]:
        """`embeddings` (C D), normalised to length 1."""
        return {EMBEDDINGS: F.normalize(self.encoder.embed(tokens), dim=-1)}


class NamingNetwork(nn.Module):
    """From embeddings of regions and words to their similarities. It has no weights: one file for any vocabulary."""

    def forward(
        self, regions: Float[Tensor, "R D"], words: Float[Tensor, "W D"], mean: Float[Tensor, " D"]
    ) -> dict[str, Tensor]:
        """`similarities` (R W): cosines x 100. `mean` is taken out of the regions: zeros for read-outs that keep it."""
        return {SIMILARITIES: scoring.similarities(regions - mean, words)}
