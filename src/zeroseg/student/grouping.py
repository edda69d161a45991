"""The grouping block: learnable segment tokens gather the image tokens that are assigned to them.

"gumbel" is GroupViT's block as the paper uses it: dot products scaled by width^-0.5, Gumbel-softmax over segments,
hard with a straight-through gradient in training and plain argmax at inference, mean over (sum + 1); its temperature
divides both logits and noise. "cosine" is ours: cosines times a learned scale, without noise. With "gumbel" the
assignment stays uniform in our runs (see docs/log.md).

Letters: B image, N token, S segment, T segment of a later stage, D width.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from zeroseg.precision import full_precision
from zeroseg.student.config import Assignment
from zeroseg.student.encoder import MLP, Attention

FIRST_SCALE = 10.0  # of the cosines
LARGEST_SCALE = 100.0


class Grouping(nn.Module):
    """Assigns N tokens to S segment tokens."""

    def __init__(self, width: int, heads: int, segments: int, assignment: Assignment, temperature: float = 1.0) -> None:
        super().__init__()
        self.assignment, self.temperature = assignment, temperature
        spread = 0.02 if assignment == "gumbel" else 1.0
        self.segment_tokens = nn.Parameter(torch.randn(1, segments, width) * spread)
        self.norm_tokens, self.norm_segments = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.norm_gathered, self.gathered_mlp = nn.LayerNorm(width), MLP(width)
        self.norm_query = nn.LayerNorm(width)
        self.query, self.key = nn.Linear(width, width), nn.Linear(width, width)
        self.value, self.out = nn.Linear(width, width), nn.Linear(width, width)
        self.norm_out, self.out_mlp = nn.LayerNorm(width), MLP(width)
        if assignment == "cosine":
            self.log_scale = nn.Parameter(torch.tensor(math.log(FIRST_SCALE)))

    def forward(
        self, tokens: Float[Tensor, "B N D"], generator: torch.Generator | None = None
    ) -> tuple[Float[Tensor, "B S D"], Float[Tensor, "B S N"]]:
        """New segment tokens, and the soft assignment (it sums to 1 over the segments, for every token)."""
        tokens = self.norm_tokens(tokens)
        segments = self.segment_tokens.expand(len(tokens), -1, -1)
        segments = segments + self.attention(self.norm_segments(segments), tokens)
        segments = segments + self.gathered_mlp(self.norm_gathered(segments))
        query, key = self.query(self.norm_query(segments)), self.key(tokens)
        with full_precision(tokens.device):
            logits = self._logits(query.float(), key.float())
            soft = logits.softmax(dim=1)
            hard = straight_through(self._noisy(logits, generator))
            gathered = weighted_mean(hard, self.value(tokens).float())
        segments = segments + self.out(gathered)
        return segments + self.out_mlp(self.norm_out(segments)), soft

    def _logits(self, query: Float[Tensor, "B S D"], key: Float[Tensor, "B N D"]) -> Float[Tensor, "B S N"]:
        if self.assignment == "gumbel":
            return query @ key.transpose(1, 2) * query.shape[-1] ** -0.5 / self.temperature
        scale = self.log_scale.exp().clamp(max=LARGEST_SCALE)
        # What all tokens have in common would assign all of them to one segment.
        key = key - key.mean(dim=1, keepdim=True)
        return scale * F.normalize(query, dim=-1) @ F.normalize(key, dim=-1).transpose(1, 2)

    def _noisy(self, logits: Float[Tensor, "B S N"], generator: torch.Generator | None) -> Float[Tensor, "B S N"]:
        """The soft assignment before it is made hard: in training with Gumbel noise, as in the paper."""
        if self.training and self.assignment == "gumbel":
            uniform = torch.rand(logits.shape, generator=generator, device=logits.device)
            noise = -(-uniform.clamp(min=1e-9).log()).clamp(min=1e-9).log()
            logits = logits + noise / self.temperature
        return logits.softmax(dim=1)


def straight_through(soft: Float[Tensor, "B S N"]) -> Float[Tensor, "B S N"]:
    """A hard assignment, one segment for each token, with the gradient of the soft one (straight-through)."""
    hard = torch.zeros_like(soft).scatter(1, soft.argmax(dim=1, keepdim=True), 1.0)
    return hard + soft - soft.detach()


def weighted_mean(assignment: Float[Tensor, "B S N"], values: Float[Tensor, "B N D"]) -> Float[Tensor, "B S D"]:
    """The sum of the assigned tokens divided by (their number + 1), as in GroupViT.

    With a very small number in place of 1, segments without tokens get gradients a thousand times too large.
    """
    total = assignment.sum(dim=2, keepdim=True)
    return assignment @ values / (total + 1)


def compose(later: Float[Tensor, "B T S"], earlier: Float[Tensor, "B S N"]) -> Float[Tensor, "B T N"]:
    """The soft assignment of two stages: of tokens to S segments, and of these to T segments."""
    with full_precision(later.device):
        return later @ earlier
