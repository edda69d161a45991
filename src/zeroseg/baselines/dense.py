"""Dense read-outs of a teacher: with another last layer, the patches that it was never trained on can be named.

| method      | what a token gathers the values of in the last layer                  | residual and MLP |
|-------------|-----------------------------------------------------------------------|------------------|
| `maskclip`  | itself alone (Zhou et al. 2022)                                       | kept             |
| `sclip`     | tokens of like query, and once more of like key (Wang et al. 2023)    | kept             |
| `naclip`    | tokens of like key, near patches before others (Hajimiri et al. 2024) | left out         |
| `clearclip` | tokens of like query (Lan et al. 2024)                                | left out         |

How like they are is a softmax, head by head, over products of queries with queries, or keys with keys. A class token,
where the teacher has one, is among the tokens, as in the authors' code. `docs/method.md` has the formulas, the papers.

Letters: B image, T token (the class token if there is one, then P patches), L patches along an axis, N head, K head
width, D embedding width, H W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from zeroseg.encoding import Encoded, Size
from zeroseg.errors import ConfigError
from zeroseg.method_names import DenseMethod
from zeroseg.teacher import Attend, LastAttention, Teacher

NEAR = 5.0  # standard deviation of NACLIP's neighbourhood, patches: the authors' value


class DenseReadOut:
    """One embedding a patch, by one of four methods, at any resolution. An `ImageEncoder`."""

    def __init__(self, teacher: Teacher, shorter_side: int, method: DenseMethod = "maskclip") -> None:
        """`shorter_side`: what images are resized to, pixels; positions are interpolated.

        Raises `ConfigError` for a method that there is not, or a side that is no patch long.
        """
        patch = teacher.patch_size
        if method not in get_args(DenseMethod):
            known = ", ".join(get_args(DenseMethod))
            raise ConfigError(f"there is no dense read-out {method!r}: choose one of {known}.")
        if shorter_side < patch:
            raise ConfigError(
                f"images must be at least {patch} pixels wide, a patch of this teacher, not {shorter_side}."
            )
        self.teacher = teacher
        self.method: DenseMethod = method
        self.shorter_side, self.multiple = shorter_side, patch

    def encode(self, pixels: Float[Tensor, "B 3 H W"], sizes: Sequence[Size]) -> list[Encoded]:
        """One embedding a patch; the image's is the teacher's own."""
        images, patches = self.teacher.embed_images(pixels), self.patches(pixels)
        mean, grid = torch.zeros_like(images[0]), (pixels.shape[2] // self.multiple, pixels.shape[3] // self.multiple)
        return [Encoded(images[n], patches[n], None, None, mean, grid, size) for n, size in enumerate(sizes)]

    def patches(self, pixels: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B P D"]:
        """Patch embeddings in the shared space, row by row, not normalised."""
        attend, keep_residual = RULES[self.method]
        return self.teacher.patch_embeddings(pixels, attend, keep_residual)


def maskclip(last: LastAttention) -> Float[Tensor, "B N T K"]:
    """Each token its own value."""
    return last.values()


def sclip(last: LastAttention) -> Float[Tensor, "B N T K"]:
    """The values of tokens of like query, plus those of tokens of like key."""
    values, queries, keys = last.values(), last.queries(), last.keys()
    return of_like(queries, values) + of_like(keys, values)


def naclip(last: LastAttention) -> Float[Tensor, "B N T K"]:
    """The values of tokens of like key, with a bonus for near patches."""
    values, keys = last.values(), last.keys()
    return of_like(keys, values, neighbourhood(*last.grid, last.class_tokens).to(keys))


def clearclip(last: LastAttention) -> Float[Tensor, "B N T K"]:
    """The values of tokens of like query."""
    values, queries = last.values(), last.queries()
    return of_like(queries, values)


RULES: dict[DenseMethod, tuple[Attend, bool]] = {
    "maskclip": (maskclip, True),
    "sclip": (sclip, True),
    "naclip": (naclip, False),
    "clearclip": (clearclip, False),
}
"""By method: what is gathered, and whether the residual connection and the MLP are kept."""


def of_like(
    projected: Float[Tensor, "B N T K"], values: Float[Tensor, "B N T K"], bonus: Float[Tensor, "T T"] | None = None
) -> Float[Tensor, "B N T K"]:
    """Values, weighted by the softmax of the scaled products of `projected` with itself, plus `bonus`."""
    return F.scaled_dot_product_attention(projected, projected, values, bonus)


def neighbourhood(h: int, w: int, class_tokens: int) -> Float[Tensor, "T T"]:
    """What NACLIP adds to the products: a Gaussian of how far two patches are apart, 1 at most.

    Nothing is added to and from the class tokens, which stand before the patches.
    """

    def bell(count: int) -> Float[Tensor, "L L"]:
        places = torch.arange(count) / NEAR
        return torch.exp(-((places[:, None] - places) ** 2) / 2)

    return F.pad(torch.kron(bell(h), bell(w)), (class_tokens, 0, class_tokens, 0))
