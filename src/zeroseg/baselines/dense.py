"""Dense read-outs of a CLIP: with another last layer, the patches that it was never trained on can be named.

| method      | what a token gathers the values of in the last layer                  | residual and MLP |
|-------------|-----------------------------------------------------------------------|------------------|
| `maskclip`  | itself alone (Zhou et al. 2022)                                       | kept             |
| `sclip`     | tokens of like query, and once more of like key (Wang et al. 2023)    | kept             |
| `naclip`    | tokens of like key, near patches before others (Hajimiri et al. 2024) | left out         |
| `clearclip` | tokens of like query (Lan et al. 2024)                                | left out         |

How like they are is a softmax, head by head, over products of queries with queries, or keys with keys. The class token
is among the tokens, as in the authors' code. `docs/method.md` has the formulas and the papers.

Letters: B image, T token (the class token, then P patches), L patches along an axis, N head, K head width, E width of
the tower, D embedding width, H W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from zeroseg.encoding import Encoded, Size
from zeroseg.errors import ConfigError
from zeroseg.teacher import Teacher

DenseMethod = Literal["maskclip", "sclip", "naclip", "clearclip"]
NEAR = 5.0  # standard deviation of NACLIP's neighbourhood, patches: the authors' value


class DenseCLIP:
    """One embedding a patch, by one of four methods, at any resolution. An `ImageEncoder`."""

    def __init__(self, teacher: Teacher, shorter_side: int, method: DenseMethod = "maskclip") -> None:
        """`shorter_side`: what images are resized to, pixels; positions are interpolated.

        Raises `ConfigError` for a method that there is not, or a side that is no patch long.
        """
        patch: int = teacher.model.config.vision_config.patch_size
        if method not in get_args(DenseMethod):
            known = ", ".join(get_args(DenseMethod))
            raise ConfigError(f"there is no dense read-out {method!r}: choose one of {known}.")
        if shorter_side < patch:
            raise ConfigError(f"images must be at least {patch} pixels wide, a patch of this CLIP, not {shorter_side}.")
        self.teacher = teacher
        self.method: DenseMethod = method
        self.shorter_side, self.multiple = shorter_side, patch

    def encode(self, pixels: Float[Tensor, "B 3 H W"], sizes: Sequence[Size]) -> list[Encoded]:
        """One embedding a patch; the image's is the teacher's own."""
        images, patches = self.teacher.embed_images(pixels), self.patches(pixels)
        mean, grid = torch.zeros_like(images[0]), self._grid(pixels)
        return [Encoded(images[n], patches[n], None, None, mean, grid, size) for n, size in enumerate(sizes)]

    @torch.inference_mode()
    def patches(self, pixels: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B P D"]:
        """Patch embeddings in the shared space, row by row, not normalised."""
        vision = self.teacher.model.vision_model
        normalised = (pixels.to(self.teacher.device) - self.teacher.mean) / self.teacher.std
        x = vision.pre_layrnorm(vision.embeddings(normalised, interpolate_pos_encoding=True))
        *layers, last = vision.encoder.layers
        for layer in layers:
            x = layer(x, None)
        gathered = gather(last.self_attn, last.layer_norm1(x), self.method, self._grid(pixels))
        if self.method in ("maskclip", "sclip"):
            x = x + gathered
            x = x + last.mlp(last.layer_norm2(x))
        else:
            x = gathered
        return self.teacher.model.visual_projection(vision.post_layernorm(x[:, 1:]))

    def _grid(self, pixels: Float[Tensor, "B 3 H W"]) -> tuple[int, int]:
        return pixels.shape[2] // self.multiple, pixels.shape[3] // self.multiple


def gather(
    attention: Any, tokens: Float[Tensor, "B T E"], method: DenseMethod, grid: tuple[int, int]
) -> Float[Tensor, "B T E"]:
    """What the tokens gather in an attention of `transformers`' CLIP under a method; `grid`: patches down, across."""

    def heads(projection: Any) -> Float[Tensor, "B N T K"]:
        return rearrange(projection(tokens), "b t (n k) -> b n t k", n=attention.num_heads)

    def of_like(projection: Any, lean: Float[Tensor, "T T"] | None = None) -> Float[Tensor, "B N T K"]:
        projected = heads(projection)
        return F.scaled_dot_product_attention(projected, projected, values, lean)

    values = heads(attention.v_proj)
    match method:
        case "maskclip":
            gathered = values
        case "sclip":
            gathered = of_like(attention.q_proj) + of_like(attention.k_proj)
        case "naclip":
            gathered = of_like(attention.k_proj, neighbourhood(*grid).to(tokens))
        case "clearclip":
            gathered = of_like(attention.q_proj)
    return attention.out_proj(rearrange(gathered, "b n t k -> b t (n k)"))


def neighbourhood(h: int, w: int) -> Float[Tensor, "T T"]:
    """What NACLIP adds to the products: a Gaussian of how far two patches are apart, 1 at most.

    Nothing is added to and from the class token.
    """

    def bell(count: int) -> Float[Tensor, "L L"]:
        places = torch.arange(count) / NEAR
        return torch.exp(-((places[:, None] - places) ** 2) / 2)

    return F.pad(torch.kron(bell(h), bell(w)), (1, 0, 1, 0))
