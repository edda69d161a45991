"""The last layer of a vision tower with another attention, for dense read-outs.

All vision towers of `transformers` that this package supports have the same names for the parts of their layers
(`self_attn`, `layer_norm1`, `mlp`, `layer_norm2`), so the layer is written here once.

Letters: B image, T token, N head, K head width, E width of the tower.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from einops import rearrange
from jaxtyping import Float
from torch import Tensor


class LastAttention:
    """The queries, keys and values of a tower's last attention, head by head. Each is computed when it is used.

    `grid` is the number of patches down and across. Patches are the last tokens, row by row; the first `class_tokens`
    tokens are class tokens (1 in CLIP, 0 if a tower has none).
    """

    def __init__(self, attention: Any, tokens: Float[Tensor, "B T E"], grid: tuple[int, int]) -> None:
        self._attention, self._tokens = attention, tokens
        self.grid = grid
        self.class_tokens = tokens.shape[1] - grid[0] * grid[1]

    def queries(self) -> Float[Tensor, "B N T K"]:
        """The query of each token."""
        return self._heads(self._attention.q_proj)

    def keys(self) -> Float[Tensor, "B N T K"]:
        """The key of each token."""
        return self._heads(self._attention.k_proj)

    def values(self) -> Float[Tensor, "B N T K"]:
        """The value of each token."""
        return self._heads(self._attention.v_proj)

    def _heads(self, projection: Any) -> Float[Tensor, "B N T K"]:
        return rearrange(projection(self._tokens), "b t (n k) -> b n t k", n=self._attention.num_heads)


Attend = Callable[[LastAttention], Tensor]
"""A function from a last attention to the values that its tokens gather (B N T K). It replaces the usual attention."""


def through_layers(
    layers: Iterable[Any], tokens: Float[Tensor, "B T E"], attend: Attend, keep_residual: bool, grid: tuple[int, int]
) -> Float[Tensor, "B T E"]:
    """Tokens through the layers of a tower, with `attend` as the attention of the last one.

    The output projection is applied once, to the gathered values. Without `keep_residual` the last layer returns only
    these, without the residual connection and the MLP.
    """
    x = tokens
    *before, last = layers
    for layer in before:
        x = layer(x, None)
    gathered = attend(LastAttention(last.self_attn, last.layer_norm1(x), grid))
    gathered = last.self_attn.out_proj(rearrange(gathered, "b n t k -> b t (n k)"))
    if not keep_residual:
        return gathered
    x = x + gathered
    return x + last.mlp(last.layer_norm2(x))
