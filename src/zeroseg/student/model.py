"""The student: encoder, segmentation head and decoder.

Letters: B image, P patch, K kept patch, S segment, D width, E embedding width, H W pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

from zeroseg.method_names import EncoderName
from zeroseg.models import DEFAULT
from zeroseg.student import weights
from zeroseg.student.config import StudentConfig
from zeroseg.student.convolutional import ConvolutionalEncoder
from zeroseg.student.encoder import MLP, Block, Encoder, PatchEncoder, add_positions, normalise_pixels, scatter
from zeroseg.student.grouping import Grouping, Mixer, build_groupings, compose

SPREAD, NARROW = 0.02, 256  # of initial weights; layers up to this width have a larger one
SMALLEST = 1e-9  # sum of a mask
LARGEST_SALIENCE = 4.0  # a patch has at most e^4 times the weight of a patch with salience 0
ENCODERS: dict[EncoderName, type[PatchEncoder]] = {"vit": Encoder, "efficientnet_lite0": ConvolutionalEncoder}


@dataclass(frozen=True)
class StudentOutput:
    """The output of one forward pass. Embeddings are in the centred, scaled space of the targets."""

    tokens: Float[Tensor, "B K D"]  # of the encoder: the input of the decoder
    segments: Float[Tensor, "B S E"]
    image: Float[Tensor, "B E"]
    masks: Float[Tensor, "B S K"]  # the product of both stages' soft assignments; they sum to 1 over S
    patches: Float[Tensor, "B K E"] | None
    salience: Float[Tensor, "B K"] | None


class Student(nn.Module):
    """Encoder, segmentation head and reconstruction decoder of the paper; with `patch_head`, also our patch head.

    Images are RGB, values 0..1, height and width multiples of the patch size.
    """

    target_mean: Tensor
    target_scale: Tensor

    def __init__(self, config: StudentConfig) -> None:
        super().__init__()
        self.config = config
        width, heads, out = config.width, config.heads, config.embedding_width
        self.encoder = ENCODERS[config.encoder](config)
        self.layers = nn.ModuleList(Block(width, heads) for _ in range(config.head_layers))
        self.groupings = nn.ModuleList(build_groupings(config))
        if config.segment_embedding == "token":
            self.segment_projection = nn.Sequential(nn.LayerNorm(width), MLP(width, out=out))
        self.global_layer = Block(width, heads)
        self.global_projection = nn.Sequential(nn.LayerNorm(width), MLP(width, out=out))
        if config.patch_head:
            self.patch_projection = _patch_projection(config)
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
        """Segment tokens, global token and masks, from the patches in `keep` (from all patches without it)."""
        tokens = x = self.encoder(self.encoder.normalise(images), keep)
        patches, salience, masks, groups, done = None, None, None, x[:, :0], 0
        for after, grouping in zip(self.config.grouping_after, self._groupings(), strict=True):
            groups = grouping.group_tokens(groups)
            both = torch.cat([x, groups], dim=1)
            for layer in self.layers[done:after]:
                both = layer(both)
            x, groups = both.split([x.shape[1], groups.shape[1]], dim=1)
            if not done and self.config.patch_head:
                patches = self._patches(tokens, x)
                salience = self.salience(x).squeeze(-1).float().clamp(-LARGEST_SALIENCE, LARGEST_SALIENCE)
            x, assignment = grouping(x, groups, generator)
            masks = assignment if masks is None else compose(assignment, masks)
            done = after
        for layer in self.layers[done:]:
            x = layer(x)
        assert masks is not None  # there are two groupings
        seen = self.global_layer(x)
        image = self.global_projection(seen.mean(dim=1)).float()
        if patches is not None and self.config.segment_embedding == "mean":
            shares = masks / masks.sum(dim=2, keepdim=True).clamp(min=SMALLEST)  # a segment may have no patch at all
            segments = shares @ patches.detach()  # their losses train masks alone
        elif self.config.segment_embedding == "global":
            segments = self.global_projection(seen).float()
        else:
            segments = self.segment_projection(x).float()
        return StudentOutput(tokens, segments, image, masks, patches, salience)

    def _groupings(self) -> list[Grouping]:
        """The blocks of both stages, with their type."""
        return cast(list[Grouping], [*self.groupings])

    def _patches(self, tokens: Float[Tensor, "B K D"], layered: Float[Tensor, "B K D"]) -> Float[Tensor, "B K E"]:
        """Patch embeddings, from the encoder's tokens or from those after the head's first layers."""
        if self.config.patch_projection == "mlp":
            return self.patch_projection(layered).float()
        embeddings = F.normalize(self.patch_projection(tokens).float(), dim=-1)
        return (embeddings - self.target_mean) / self.target_scale

    def reconstruct(self, tokens: Float[Tensor, "B K D"], keep: Int[Tensor, "B K"]) -> Float[Tensor, "B P X"]:
        """Normalised pixels of every patch, predicted from the encoder's tokens of the kept patches."""
        return self.decoder(tokens, keep)

    def in_teacher_space(self, embeddings: Float[Tensor, "*N E"]) -> Float[Tensor, "*N E"]:
        """Embeddings in the teacher's space: times the scale of the targets, plus their mean."""
        return embeddings * self.target_scale + self.target_mean

    @classmethod
    def from_pretrained(cls, name: str | Path = DEFAULT) -> Student:
        """Load a bundled student by name, or one from a folder or a hub repository.

        The folder has `config.json` and `model.safetensors`. Without a name, the default student is loaded.

        Raises `WeightsError` if files are missing or damaged, or belong to another model.
        """
        config, tensors = weights.read(name)
        student = cls(config)
        weights.fill(student, tensors, name)
        return student.eval()

    def save_pretrained(self, folder: str | Path, card: str = "") -> None:
        """Write `config.json`, `model.safetensors` (float16) and a `README.md` model card into a folder.

        Raises `OutputError`.
        """
        weights.write(self, self.config, Path(folder), card)

    def push_to_hub(self, repository: str, **options: Any) -> str:
        """Upload to a hub repository (`owner/name`); returns its address. `options`: of `HfApi.create_repo`."""
        return weights.push(self, self.config, repository, **options)


class Pooled(nn.Module):
    """SigLIP's pooling head for one token: attention to it alone, a linear layer, and an MLP with a residual."""

    def __init__(self, width: int, out: int, activation: str, epsilon: float) -> None:
        super().__init__()
        self.linear, self.norm = nn.Linear(width, out), nn.LayerNorm(out, epsilon)
        self.mlp = MLP(out, activation)

    def forward(self, tokens: Float[Tensor, "B K D"]) -> Float[Tensor, "B K E"]:
        """The head's output for each token."""
        pooled = self.linear(tokens)
        return pooled + self.mlp(self.norm(pooled))


class Decoder(nn.Module):
    """MAE's decoder: mask tokens for the dropped patches, a few narrow layers, the pixels of every patch."""

    positions: Tensor

    def __init__(self, config: StudentConfig) -> None:
        super().__init__()
        width = config.decoder_width
        self.patches = config.grid**2
        self.embedding = nn.Linear(config.width, width)
        self.mask_token = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        add_positions(self, config.positions, config.grid, width)
        self.blocks = nn.ModuleList(Block(width, config.decoder_heads) for _ in range(config.decoder_layers))
        self.norm = nn.LayerNorm(width)
        self.pixels = nn.Linear(width, 3 * config.patch_size**2)

    def forward(self, tokens: Float[Tensor, "B K D"], keep: Int[Tensor, "B K"]) -> Float[Tensor, "B P X"]:
        """Pixels of every patch."""
        x = scatter(self.embedding(tokens), keep, self.mask_token, self.patches) + self.positions
        for block in self.blocks:
            x = block(x)
        return self.pixels(self.norm(x)).float()


def patch_pixels(images: Float[Tensor, "B 3 H W"], patch_size: int) -> Float[Tensor, "B P X"]:
    """The normalised pixels of every patch, flattened: the target of the decoder."""
    size = {"p": patch_size, "q": patch_size}
    return rearrange(normalise_pixels(images), "b c (h p) (w q) -> b (h w) (p q c)", **size)


def _patch_projection(config: StudentConfig) -> nn.Module:
    width, out = config.width, config.embedding_width
    if config.patch_projection == "linear":
        return nn.Linear(width, out)
    if config.patch_projection == "pooled":
        return Pooled(width, out, config.activation, config.norm_epsilon)
    return nn.Sequential(nn.LayerNorm(width), MLP(width, out=out))


def _initialise(module: nn.Module) -> None:
    """Truncated normal weights, zero biases.

    The standard deviation is .02 as in ViT and GroupViT, or width^-.5 in layers up to `NARROW`, for which .02 is too
    small. A mixer's inputs are few tokens; it counts as wide as the student that it is in.
    """
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=SPREAD if module.in_features > NARROW else module.in_features**-0.5)
        nn.init.zeros_(module.bias)
    elif isinstance(module, Mixer) and 2 * module.mlp.first.out_features > NARROW:
        for layer in (module.mlp.first, module.mlp.second):
            nn.init.trunc_normal_(layer.weight, std=SPREAD)
