"""What encoders of students have in common, a plain ViT that can leave patches out, and the blocks of all parts.

Letters: B image, P patch, N token, K query token, D width, H W pixels, h w patches down and across.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

from zeroseg.precision import plain_attention
from zeroseg.student.config import Positions, StudentConfig

MEAN, STD = (0.481, 0.458, 0.408), (0.269, 0.261, 0.276)  # of the pixels: CLIP's


class Attention(nn.Module):
    """Multi-head attention of queries over tokens (of tokens over themselves when they are the same)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))

    def forward(self, queries: Float[Tensor, "B K D"], tokens: Float[Tensor, "B N D"]) -> Float[Tensor, "B K D"]:
        """What each query gathers from the tokens."""
        q, k, v = (
            rearrange(part, "b n (h d) -> b h n d", h=self.heads)
            for part in (self.query(queries), self.key(tokens), self.value(tokens))
        )
        return self.out(rearrange(attend(q, k, v), "b h n d -> b n (h d)"))


class OwnValue(nn.Module):
    """Attention of every token to itself alone: only the values and the output are left of it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.value, self.out = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, queries: Float[Tensor, "B K D"], tokens: Float[Tensor, "B N D"]) -> Float[Tensor, "B N D"]:
        """The token's own value, projected. `queries` are the tokens themselves, as in all layers of an encoder."""
        assert queries is tokens
        return self.out(self.value(tokens))


def attend(
    queries: Float[Tensor, "B H K D"], keys: Float[Tensor, "B H N D"], values: Float[Tensor, "B H N D"]
) -> Float[Tensor, "B H K D"]:
    """Softmax of the scaled dot products, times the values."""
    if queries.dtype == torch.bfloat16 and plain_attention(queries.device):
        logits = queries @ keys.transpose(-1, -2) * queries.shape[-1] ** -0.5
        return logits.softmax(dim=-1) @ values
    return F.scaled_dot_product_attention(queries, keys, values)


class MLP(nn.Module):
    """Two layers, four times as wide in between if nothing else is said."""

    def __init__(self, width: int, activation: str = "gelu", out: int | None = None, hidden: int | None = None) -> None:
        super().__init__()
        hidden = hidden or 4 * width
        self.first, self.second = nn.Linear(width, hidden), nn.Linear(hidden, out or width)
        self.activation = activation

    def forward(self, x: Float[Tensor, "*B D"]) -> Float[Tensor, "*B E"]:
        """The layers, applied to each token."""
        x = self.first(x)
        if self.activation == "quick_gelu":
            return self.second(x * torch.sigmoid(1.702 * x))
        return self.second(F.gelu(x, approximate="tanh" if self.activation == "gelu_pytorch_tanh" else "none"))


class Block(nn.Module):
    """A pre-norm transformer layer."""

    def __init__(
        self, width: int, heads: int, activation: str = "gelu", epsilon: float = 1e-5, own_value: bool = False
    ) -> None:
        """`epsilon`: of the norms. `own_value`: every token attends to itself alone."""
        super().__init__()
        self.norm1 = nn.LayerNorm(width, epsilon)
        self.attention = OwnValue(width) if own_value else Attention(width, heads)
        self.norm2, self.mlp = nn.LayerNorm(width, epsilon), MLP(width, activation)

    def forward(self, x: Float[Tensor, "B N D"]) -> Float[Tensor, "B N D"]:
        """Tokens in, tokens out."""
        y = self.norm1(x)
        x = x + self.attention(y, y)
        return x + self.mlp(self.norm2(x))


class PatchEncoder(nn.Module, ABC):
    """From pixels to one token a patch, of the width of the student."""

    @abstractmethod
    def normalise(self, images: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B 3 H W"]:
        """Pixels as the encoder takes them, from values 0..1."""

    @abstractmethod
    def forward(
        self, images: Float[Tensor, "B 3 H W"], keep: Int[Tensor, "B K"] | None = None
    ) -> Float[Tensor, "B P D"]:
        """Tokens of the kept patches (of all patches without `keep`), row by row, from normalised pixels."""

    @abstractmethod
    def pretrained(self) -> dict[str, nn.Parameter]:
        """The weights, by name, that another model's tower can give."""

    @abstractmethod
    def from_tower(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The tensors of a teacher's tower of the same form, under the names of this encoder."""

    @abstractmethod
    def train_last(self, blocks: int) -> None:
        """Train the last `blocks` blocks and what follows them, and freeze the other pretrained weights.

        0 freezes all of them; all blocks are the whole encoder.
        """


def train_last(whole: nn.Module, blocks: nn.ModuleList, count: int, after: nn.Module) -> None:
    """Freeze a module but for the last `count` of its blocks and what comes after them (see `PatchEncoder`)."""
    whole.requires_grad_(count == len(blocks))
    if count:
        for part in (*blocks[-count:], after):
            part.requires_grad_(True)


class Encoder(PatchEncoder):
    """Patches, and a class token if there is one, through the layers; in training only the patches in `keep`."""

    positions: Tensor

    def __init__(self, config: StudentConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Conv2d(3, config.width, config.patch_size, config.patch_size)
        if config.class_token:
            self.class_token = nn.Parameter(torch.randn(1, 1, config.width) * 0.02)
        add_positions(self, config.positions, config.grid, config.width)
        epsilon = config.norm_epsilon
        self.input_norm = nn.LayerNorm(config.width, epsilon) if config.input_norm else nn.Identity()
        self.blocks = nn.ModuleList(
            Block(config.width, config.heads, config.activation, epsilon, own_value)
            for own_value in [False] * (config.layers - 1) + [config.last_attention == "own"]
        )
        self.norm = nn.LayerNorm(config.width, epsilon)

    def normalise(self, images: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B 3 H W"]:
        """See `normalise_pixels`."""
        return normalise_pixels(images)

    def forward(
        self, images: Float[Tensor, "B 3 H W"], keep: Int[Tensor, "B K"] | None = None
    ) -> Float[Tensor, "B P D"]:
        """Tokens of the kept patches (of all patches without `keep`), without the class token."""
        x = self.embedding(images)
        h, w = x.shape[-2:]
        x = rearrange(x, "b d h w -> b (h w) d") + resize_positions(self.positions, h, w)
        if keep is not None:
            x = gather(x, keep)
        if self.config.class_token:
            x = torch.cat([self.class_token.expand(x.shape[0], -1, -1).to(x.dtype), x], dim=1)
        x = self.input_norm(x)
        for block in self.blocks:
            x = block(x)
        return self.norm(x[:, 1:] if self.config.class_token else x)

    def pretrained(self) -> dict[str, nn.Parameter]:
        """All weights."""
        return dict(self.named_parameters())

    def from_tower(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The first layers of a tower of at least as many; positions are interpolated to the student's grid."""
        grid = self.config.grid
        positions = resize_positions(tensors["positions"], grid, grid)
        return {name: tensors[name] for name in self.pretrained() if name in tensors} | {"positions": positions}

    def train_last(self, blocks: int) -> None:
        """Freeze all but the last layers and the last norm (see `PatchEncoder`)."""
        train_last(self, self.blocks, blocks, self.norm)


def normalise_pixels(images: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B 3 H W"]:
    """Scale values 0..1 to about zero mean and a standard deviation of about 1 (CLIP's constants)."""
    mean, std = (torch.tensor(values, device=images.device).view(3, 1, 1) for values in (MEAN, STD))
    return (images - mean) / std


def add_positions(module: nn.Module, kind: Positions, side: int, width: int) -> None:
    """Give a module its `positions` (1 P D): learned weights, or fixed sines, which are not saved."""
    if kind == "sine":
        module.register_buffer("positions", sine_positions(side, width), persistent=False)
    else:
        module.positions = nn.Parameter(torch.randn(1, side**2, width) * 0.02)


def sine_positions(side: int, width: int) -> Float[Tensor, "1 P D"]:
    """Sines and cosines of the place of each patch of a square grid, `side` patches a side, row by row.

    Those of MAE (He et al. 2022), after Vaswani et al. 2017: half of the channels tell the column, half the row; of
    each half, half are sines, half cosines, with wavelengths from 2 pi to 20,000 pi patches. `width`: a multiple of 4.
    """
    quarter = width // 4
    frequencies = 10_000 ** -(torch.arange(quarter, dtype=torch.float64) / quarter)
    angles = torch.arange(side, dtype=torch.float64)[:, None] * frequencies
    waves = torch.cat([angles.sin(), angles.cos()], dim=1)
    columns, rows = waves.repeat(side, 1), waves.repeat_interleave(side, dim=0)
    return torch.cat([columns, rows], dim=1).float()[None]


def resize_positions(
    positions: Float[Tensor, "1 P D"], h: int | torch.SymInt, w: int | torch.SymInt
) -> Float[Tensor, "1 N D"]:
    """Position embeddings of a square grid, interpolated to h x w patches.

    An exported network interpolates to any size, the square's own too, where that changes nothing.
    """
    side = round(positions.shape[1] ** 0.5)
    if not torch.compiler.is_exporting() and (h, w) == (side, side):
        return positions
    grid = rearrange(positions, "1 (h w) d -> 1 d h w", h=side)
    size: Any = (h, w)
    grid = F.interpolate(grid, size=size, mode="bicubic", align_corners=False)
    return rearrange(grid, "1 d h w -> 1 (h w) d")


def random_keep(images: int, patches: int, mask_ratio: float, generator: torch.Generator) -> Int[Tensor, "B K"]:
    """The patches that each image keeps if `mask_ratio` of them (0..1) are dropped at random: their numbers, sorted.

    Their count is rounded down, as in MAE, but is at least 1.
    """
    count = max(1, int(patches * (1 - mask_ratio)))
    noise = torch.rand(images, patches, generator=generator, device=generator.device)
    return noise.argsort(dim=1)[:, :count].sort(dim=1).values


def gather(tokens: Float[Tensor, "B P D"], keep: Int[Tensor, "B K"]) -> Float[Tensor, "B K D"]:
    """The tokens of the kept patches."""
    return tokens.gather(1, keep[:, :, None].expand(-1, -1, tokens.shape[-1]))


def scatter(
    tokens: Float[Tensor, "B K D"], keep: Int[Tensor, "B K"], filler: Float[Tensor, "1 1 D"], patches: int
) -> Float[Tensor, "B P D"]:
    """The inverse of `gather`: kept tokens at their places, `filler` (the mask token) at all others."""
    full = filler.to(tokens.dtype).expand(len(tokens), patches, -1)
    return full.scatter(1, keep[:, :, None].expand(-1, -1, tokens.shape[-1]), tokens)
