"""The student: one screen.

Letters: B image, P patch, K kept patch, S segment, D width, E embedding width, H W pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

from zeroseg.student import weights
from zeroseg.student.config import StudentConfig
from zeroseg.student.encoder import MLP, Block, Encoder, scatter
from zeroseg.student.grouping import Grouping, compose

LARGEST_SALIENCE = 4.0  # a patch has at most e^4 times the weight of another at 0
MEAN, STD = (0.481, 0.458, 0.408), (0.269, 0.261, 0.276)  # of the pixels: CLIP's


@dataclass(frozen=True)
class StudentOutput:
    """What one forward pass gives. Embeddings live in the centred, scaled space of the targets."""

    tokens: Float[Tensor, "B K D"]  # of the encoder: what the decoder reconstructs from
    segments: Float[Tensor, "B S E"]
    image: Float[Tensor, "B E"]
    masks: Float[Tensor, "B S K"]  # both stages' soft assignments, multiplied: over S they sum to 1
    patches: Float[Tensor, "B K E"] | None
    salience: Float[Tensor, "B K"] | None


class Student(nn.Module):
    """Encoder, segmentation head and reconstruction decoder of the paper; with `patch_head`, ours beside them.

    Images go in as RGB, values 0..1, height and width multiples of the patch size.
    """

    target_mean: Tensor
    target_scale: Tensor

    def __init__(self, config: StudentConfig) -> None:
        super().__init__()
        self.config = config
        width, heads, out = config.width, config.heads, config.embedding_width
        self.encoder = Encoder(config)
        self.layers = nn.ModuleList(Block(width, heads) for _ in range(config.head_layers))
        self.groupings = nn.ModuleList(
            Grouping(width, heads, tokens, config.assignment, config.temperature) for tokens in config.segment_tokens
        )
        if config.segment_embedding == "token":
            self.segment_projection = nn.Sequential(nn.LayerNorm(width), MLP(width, out=out))
        self.global_layer = Block(width, heads)
        self.global_projection = nn.Sequential(nn.LayerNorm(width), MLP(width, out=out))
        if config.patch_head:
            self.patch_projection = nn.Sequential(nn.LayerNorm(width), MLP(width, out=out))
            self.salience = nn.Linear(width, 1)
        if config.decoder_layers:
            self.decoder = Decoder(config)
        self.register_buffer("target_mean", torch.zeros(out))
        self.register_buffer("target_scale", torch.ones(()))
        self.apply(_initialise)
        if config.patch_head:
            nn.init.zeros_(self.salience.weight)

    def forward(
        self,
        images: Float[Tensor, "B 3 H W"],
        keep: Int[Tensor, "B K"] | None = None,
        generator: torch.Generator | None = None,
    ) -> StudentOutput:
        """Segment tokens, global token and masks, from the patches that `keep` names (all of them without)."""
        tokens = x = self.encoder(normalise_pixels(images), keep)
        patches, salience, masks = None, None, None
        groupings = dict(zip(self.config.grouping_after, self.groupings, strict=True))
        for number, layer in enumerate(self.layers, 1):
            x = layer(x)
            if number == self.config.grouping_after[0] and self.config.patch_head:
                patches = self.patch_projection(x).float()
                salience = self.salience(x).squeeze(-1).float().clamp(-LARGEST_SALIENCE, LARGEST_SALIENCE)
            if number in groupings:
                x, assignment = groupings[number](x, generator)
                masks = assignment if masks is None else compose(assignment, masks)
        assert masks is not None  # the config has two groupings within the layers
        seen = self.global_layer(x)
        image = self.global_projection(seen.mean(dim=1)).float()
        if patches is not None and self.config.segment_embedding == "mean":
            segments = masks / masks.sum(dim=2, keepdim=True) @ patches.detach()  # losses on it can only move masks
        elif self.config.segment_embedding == "global":
            segments = self.global_projection(seen).float()
        else:
            segments = self.segment_projection(x).float()
        return StudentOutput(tokens, segments, image, masks, patches, salience)

    def reconstruct(self, tokens: Float[Tensor, "B K D"], keep: Int[Tensor, "B K"]) -> Float[Tensor, "B P X"]:
        """Normalised pixels of every patch, from the encoder's tokens of the kept ones."""
        return self.decoder(tokens, keep)

    def in_teacher_space(self, embeddings: Float[Tensor, "*N E"]) -> Float[Tensor, "*N E"]:
        """Embeddings as the teacher would give them: the targets' scale and mean undone."""
        return embeddings * self.target_scale + self.target_mean

    @classmethod
    def from_pretrained(cls, name: str | Path = weights.BUNDLED) -> Student:
        """Load a student from a folder or a hub repository with `config.json` and `model.safetensors`.

        Raises `WeightsError` where files are missing, damaged or another model's.
        """
        config, tensors = weights.read(name)
        student = cls(config)
        weights.fill(student, tensors, name)
        return student.eval()

    def save_pretrained(self, folder: str | Path, card: str = "") -> None:
        """Write `config.json`, `model.safetensors` (float16) and a `README.md` model card into a folder."""
        weights.write(self, self.config, Path(folder), card)

    def push_to_hub(self, repository: str, **options: Any) -> str:
        """Upload to a hub repository (`owner/name`); returns its address. `options` as of `HfApi.create_repo`."""
        return weights.push(self, self.config, repository, **options)


class Decoder(nn.Module):
    """MAE's decoder: mask tokens at the places of dropped patches, a few narrow layers, the pixels of every patch."""

    def __init__(self, config: StudentConfig) -> None:
        super().__init__()
        width = config.decoder_width
        self.patches = config.grid**2
        self.embedding = nn.Linear(config.width, width)
        self.mask_token = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.positions = nn.Parameter(torch.randn(1, self.patches, width) * 0.02)
        self.blocks = nn.ModuleList(Block(width, config.decoder_heads) for _ in range(config.decoder_layers))
        self.norm = nn.LayerNorm(width)
        self.pixels = nn.Linear(width, 3 * config.patch_size**2)

    def forward(self, tokens: Float[Tensor, "B K D"], keep: Int[Tensor, "B K"]) -> Float[Tensor, "B P X"]:
        """Pixels of every patch."""
        x = scatter(self.embedding(tokens), keep, self.mask_token, self.patches) + self.positions
        for block in self.blocks:
            x = block(x)
        return self.pixels(self.norm(x)).float()


def normalise_pixels(images: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B 3 H W"]:
    """Values 0..1 to about zero mean and unit spread."""
    mean, std = (torch.tensor(values, device=images.device).view(3, 1, 1) for values in (MEAN, STD))
    return (images - mean) / std


def patch_pixels(images: Float[Tensor, "B 3 H W"], patch_size: int) -> Float[Tensor, "B P X"]:
    """The normalised pixels of every patch, in a row: what the decoder has to predict."""
    size = {"p": patch_size, "q": patch_size}
    return rearrange(normalise_pixels(images), "b c (h p) (w q) -> b (h w) (p q c)", **size)


def _initialise(module: nn.Module) -> None:
    """Truncated normal weights, zero biases; spread .02 as in ViT, width^-.5 in narrow layers, which .02 starves."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02 if module.in_features > 256 else module.in_features**-0.5)
        nn.init.zeros_(module.bias)
