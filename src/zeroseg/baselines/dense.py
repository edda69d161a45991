"""Dense read-outs of a teacher: with a changed last layer, its patches can be named, although no loss trained them.

| method      | tokens whose values a token gathers in the last layer                    | residual and MLP |
|-------------|--------------------------------------------------------------------------|------------------|
| `maskclip`  | only itself (Zhou et al. 2022)                                           | kept             |
| `sclip`     | with similar queries, plus with similar keys (Wang et al. 2023)          | kept             |
| `naclip`    | with similar keys, with a bonus for near patches (Hajimiri et al. 2024)  | left out         |
| `clearclip` | with similar queries (Lan et al. 2024)                                   | left out         |

The weights are a softmax, head by head, over products of queries with queries, or of keys with keys. If the teacher has
a class token, it is one of the tokens, as in the authors' code. `docs/method.md` has the formulas and the papers.

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
from zeroseg.errors import ConfigError, TeacherError
from zeroseg.method_names import DenseMethod
from zeroseg.teacher import Attend, LastAttention, Teacher

NEAR = 5.0  # standard deviation of NACLIP's neighbourhood, patches: the authors' value


class DenseReadOut:
    """One embedding for each patch, by one of four methods, at any resolution. An `ImageEncoder`."""

    def __init__(
        self, teacher: Teacher, shorter_side: int, method: DenseMethod = "maskclip", position_offset: float = 0.0
    ) -> None:
        """`shorter_side`: of the resized images, pixels; positions are interpolated.

        `position_offset`: positions of a CLIP are enlarged to n patches a side as if there were n + `position_offset`.
        The code of SCLIP, NACLIP and ClearCLIP has .1 here.

        Raises `ConfigError` for an unknown method, or a side shorter than a patch; `TeacherError` for a method that the
        teacher does not have.
        """
        patch = teacher.patch_size
        if method not in get_args(DenseMethod):
            known = ", ".join(get_args(DenseMethod))
            raise ConfigError(f"there is no dense read-out {method!r}: choose one of {known}.")
        if method not in teacher.dense_methods:
            raise TeacherError(
                f"a {teacher.family} teacher has no dense read-out {method!r}, which changes the attention of a last "
                f"layer: choose {' or '.join(teacher.dense_methods)}."
            )
        if shorter_side < patch:
            raise ConfigError(
                f"images must be at least {patch} pixels wide, a patch of this teacher, not {shorter_side}."
            )
        self.teacher = teacher
        self.method: DenseMethod = method
        self.shorter_side, self.multiple, self.position_offset = shorter_side, patch, position_offset

    def with_position_offset(self, offset: float) -> DenseReadOut:
        """The same with another offset of positions."""
        return DenseReadOut(self.teacher, self.shorter_side, self.method, offset)

    def encode(self, pixels: Float[Tensor, "B 3 H W"], sizes: Sequence[Size]) -> list[Encoded]:
        """One embedding for each patch (see `ImageEncoder`); the image's is the teacher's own."""
        images, patches = self.teacher.embed_images(pixels), self.patches(pixels)
        mean, grid = torch.zeros_like(images[0]), (pixels.shape[2] // self.multiple, pixels.shape[3] // self.multiple)
        return [Encoded(images[n], patches[n], None, None, mean, grid, size) for n, size in enumerate(sizes)]

    def patches(self, pixels: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B P D"]:
        """Patch embeddings in the shared space, row by row, not normalised."""
        attend, keep_residual = RULES[self.method]
        return self.teacher.patch_embeddings(pixels, attend, keep_residual, self.position_offset)


def maskclip(last: LastAttention) -> Float[Tensor, "B N T K"]:
    """The value of the token itself."""
    return last.values()


def sclip(last: LastAttention) -> Float[Tensor, "B N T K"]:
    """The values of tokens with similar queries, plus those of tokens with similar keys."""
    values, queries, keys = last.values(), last.queries(), last.keys()
    return of_like(queries, values) + of_like(keys, values)


def naclip(last: LastAttention) -> Float[Tensor, "B N T K"]:
    """The values of tokens with similar keys, with a bonus for near patches."""
    values, keys = last.values(), last.keys()
    return of_like(keys, values, neighbourhood(*last.grid, last.class_tokens).to(keys))


def clearclip(last: LastAttention) -> Float[Tensor, "B N T K"]:
    """The values of tokens with similar queries."""
    values, queries = last.values(), last.queries()
    return of_like(queries, values)


RULES: dict[DenseMethod, tuple[Attend, bool]] = {
    "maskclip": (maskclip, True),
    "sclip": (sclip, True),
    "naclip": (naclip, False),
    "clearclip": (clearclip, False),
}
"""By method: the attention of the last layer, and whether the residual connection and the MLP are kept."""


def of_like(
    projected: Float[Tensor, "B N T K"], values: Float[Tensor, "B N T K"], bonus: Float[Tensor, "T T"] | None = None
) -> Float[Tensor, "B N T K"]:
    """Values, weighted by the softmax of the scaled products of `projected` with itself, plus `bonus`."""
    return F.scaled_dot_product_attention(projected, projected, values, bonus)


def neighbourhood(h: int, w: int, class_tokens: int) -> Float[Tensor, "T T"]:
    """The bonus that NACLIP adds to the products: a Gaussian of the distance between two patches, at most 1.

    It is 0 for the class tokens, which come before the patches.
    """

    def bell(count: int) -> Float[Tensor, "L L"]:
        places = torch.arange(count) / NEAR
        return torch.exp(-((places[:, None] - places) ** 2) / 2)

    return F.pad(torch.kron(bell(h), bell(w)), (class_tokens, 0, class_tokens, 0))
