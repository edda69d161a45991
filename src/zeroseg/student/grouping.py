"""The grouping blocks: segment tokens gather the image tokens that are assigned to them.

There are two forms, with the same assignment. `GroupViTGrouping` is the paper's, after GroupViT (Xu et al. 2022): group
tokens travel through the layers together with the image tokens, and the block makes segment tokens of them.
`LightGrouping` is ours: no group tokens travel, and the block has learned segment tokens of its own.

"gumbel" is the paper's assignment: dot products scaled by width^-0.5, Gumbel-softmax over segments, hard with a
straight-through gradient in training and plain argmax at inference, mean over (sum + 1); its temperature divides both
logits and noise. "cosine" is ours: cosines times a learned scale, without noise. With "gumbel" the assignment stays
uniform in our runs (see docs/log.md).

Letters: B image, N token, G group token, S segment, T segment of a later stage, D width.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from zeroseg.precision import full_precision
from zeroseg.student.config import Assignment, StudentConfig
from zeroseg.student.encoder import MLP, Attention

FIRST_SCALE = 10.0  # of the cosines
LARGEST_SCALE = 100.0


class Grouping(nn.Module, ABC):
    """A grouping block: it assigns N tokens to S segment tokens."""

    query: nn.Linear
    key: nn.Linear
    value: nn.Linear
    out: nn.Linear
    log_scale: nn.Parameter  # of the cosines

    def __init__(self, assignment: Assignment, temperature: float = 1.0) -> None:
        super().__init__()
        self.assignment, self.temperature = assignment, temperature

    @abstractmethod
    def group_tokens(self, earlier: Float[Tensor, "B E D"]) -> Float[Tensor, "B G D"]:
        """The tokens that travel through the stage's layers beside the image tokens.

        `earlier`: those of the stage before, after its layers; in the first stage there are none (E = 0).
        """

    @abstractmethod
    def forward(
        self, tokens: Float[Tensor, "B N D"], groups: Float[Tensor, "B G D"], generator: torch.Generator | None = None
    ) -> tuple[Float[Tensor, "B S D"], Float[Tensor, "B S N"]]:
        """New segment tokens, and the soft assignment (it sums to 1 over the segments, for every token).

        `groups`: the group tokens after the stage's layers.
        """

    def _assign(
        self, segments: Float[Tensor, "B S D"], tokens: Float[Tensor, "B N D"], generator: torch.Generator | None
    ) -> tuple[Float[Tensor, "B S D"], Float[Tensor, "B S N"]]:
        """The mean of the tokens that each segment wins, projected; and the soft assignment."""
        query, key = self.query(segments), self.key(tokens)
        with full_precision(tokens.device):
            logits = self._logits(query.float(), key.float())
            soft = logits.softmax(dim=1)
            hard = straight_through(self._noisy(logits, generator))
            gathered = weighted_mean(hard, self.value(tokens).float())
        return self.out(gathered), soft

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


class LightGrouping(Grouping):
    """Learned segment tokens look at the image tokens, then gather those that they win. No group tokens travel."""

    def __init__(self, width: int, heads: int, segments: int, assignment: Assignment, temperature: float = 1.0) -> None:
        super().__init__(assignment, temperature)
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

    def group_tokens(self, earlier: Float[Tensor, "B 0 D"]) -> Float[Tensor, "B 0 D"]:
        """None."""
        return earlier

    def forward(
        self, tokens: Float[Tensor, "B N D"], groups: Float[Tensor, "B 0 D"], generator: torch.Generator | None = None
    ) -> tuple[Float[Tensor, "B S D"], Float[Tensor, "B S N"]]:
        """See `Grouping.forward`."""
        tokens = self.norm_tokens(tokens)
        segments = self.segment_tokens.expand(groups.shape[0], -1, -1)
        segments = segments + self.attention(self.norm_segments(segments), tokens)
        segments = segments + self.gathered_mlp(self.norm_gathered(segments))
        gathered, soft = self._assign(self.norm_query(segments), tokens, generator)
        segments = segments + gathered
        return segments + self.out_mlp(self.norm_out(segments)), soft


class GroupViTGrouping(Grouping):
    """GroupViT's block: the group tokens that have travelled are mixed to segment tokens, which look and gather.

    As many group tokens travel as the block makes segment tokens. Those of a later stage start from a learned token,
    zero at first, plus the mixed group tokens of the stage before.
    """

    def __init__(
        self, width: int, heads: int, segments: int, earlier: int, assignment: Assignment, temperature: float = 1.0
    ) -> None:
        """`earlier`: group tokens of the stage before; 0 in the first stage."""
        super().__init__(assignment, temperature)
        self.first_tokens = nn.Parameter(torch.randn(1, segments, width) * (0.0 if earlier else 0.02))
        if earlier:
            self.norm_earlier, self.mix_earlier = nn.LayerNorm(width), Mixer(earlier, width // 2, segments)
        self.norm_groups, self.mix_groups = nn.LayerNorm(width), Mixer(segments, width // 2, segments)
        self.norm_mixed, self.norm_tokens = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.norm_gathered, self.gathered_mlp = nn.LayerNorm(width), MLP(width)
        self.norm_segments = nn.LayerNorm(width)
        self.query, self.key = nn.Linear(width, width), nn.Linear(width, width)
        self.value, self.out = nn.Linear(width, width), nn.Linear(width, width)
        self.norm_out, self.out_mlp = nn.LayerNorm(width), MLP(width)
        if assignment == "cosine":
            self.log_scale = nn.Parameter(torch.tensor(math.log(FIRST_SCALE)))

    def group_tokens(self, earlier: Float[Tensor, "B E D"]) -> Float[Tensor, "B G D"]:
        """The learned tokens, plus the mixed tokens of the stage before if there is one."""
        first = self.first_tokens.expand(earlier.shape[0], -1, -1)
        return first + self.mix_earlier(self.norm_earlier(earlier)) if earlier.shape[1] else first

    def forward(
        self, tokens: Float[Tensor, "B N D"], groups: Float[Tensor, "B G D"], generator: torch.Generator | None = None
    ) -> tuple[Float[Tensor, "B S D"], Float[Tensor, "B S N"]]:
        """See `Grouping.forward`."""
        tokens = self.norm_tokens(tokens)
        segments = self.norm_mixed(self.mix_groups(self.norm_groups(groups)))
        segments = segments + self.attention(segments, tokens)
        segments = segments + self.gathered_mlp(self.norm_gathered(segments))
        segments = self.norm_segments(segments)
        gathered, soft = self._assign(segments, tokens, generator)
        segments = segments + gathered
        return segments + self.out_mlp(self.norm_out(segments)), soft


class Mixer(nn.Module):
    """An MLP over the tokens, the same for every channel (Tolstikhin et al. 2021): G tokens in, S tokens out."""

    def __init__(self, tokens: int, hidden: int, out: int) -> None:
        super().__init__()
        self.mlp = MLP(tokens, hidden=hidden, out=out)

    def forward(self, tokens: Float[Tensor, "B G D"]) -> Float[Tensor, "B S D"]:
        """Each new token is made of all tokens."""
        return self.mlp(tokens.transpose(1, 2)).transpose(1, 2)


def build_groupings(config: StudentConfig) -> list[Grouping]:
    """The blocks of both stages."""
    width, heads, assignment, temperature = config.width, config.heads, config.assignment, config.temperature
    first, second = config.segment_tokens
    if config.grouping == "light":
        return [LightGrouping(width, heads, segments, assignment, temperature) for segments in (first, second)]
    return [
        GroupViTGrouping(width, heads, segments, earlier, assignment, temperature)
        for segments, earlier in ((first, 0), (second, first))
    ]


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
