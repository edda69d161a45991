"""The losses between images and words, as pure functions.

Letters: B image, W word, Q photo, V view, G group of words, K kind, D embedding width.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

LEFT_OUT = -1e4  # the logit of what is not in a denominator


def label_cross_entropy(
    logits: Float[Tensor, "B W"], labels: Bool[Tensor, "B W"], left_out: Bool[Tensor, "B W"]
) -> Float[Tensor, ""]:
    """Cross-entropy of each row with all its labels, which share the probability; the mean over rows that have any.

    `left_out`: what is not in the denominator of a row; no label of it. 0 if no row has labels.
    """
    chances = logits.masked_fill(left_out, LEFT_OUT).log_softmax(dim=1)
    count = labels.sum(dim=1)
    rows = -(chances * labels).sum(dim=1) / count.clamp(min=1)
    return rows.sum() / (count > 0).sum().clamp(min=1)


def views_explained(
    logits: Float[Tensor, "Q V W"],
    groups: Float[Tensor, "Q G W"],
    left_out: Bool[Tensor, "Q W"],
    nothing: Float[Tensor, ""],
) -> Float[Tensor, ""]:
    """How well each view is explained by one of the words that its photo's sentences say, or by none; mean over views.

    A word in a sentence is a group of labels (woman: woman and person), whose logits are averaged with the weights in
    `groups`, which add up to 1, or to 0 where there is no group: so its labels share what they explain. Which word it
    is stays open: - log of the sum over all groups and `nothing`, a logit. `left_out`: what is not in the denominator
    of a photo; no label of it.
    """
    nothings = nothing.expand(*logits.shape[:2], 1)
    every = torch.cat([logits.masked_fill(left_out[:, None], LEFT_OUT), nothings], dim=2)
    said = torch.einsum("qvw,qgw->qvg", logits, groups).masked_fill(~groups.any(dim=2)[:, None], LEFT_OUT)
    return (every.logsumexp(dim=2) - torch.cat([said, nothings], dim=2).logsumexp(dim=2)).mean()


def kinds_apart(words: Float[Tensor, "W D"], kinds: Int[Tensor, "K 2"]) -> Float[Tensor, ""]:
    """Mean cosine distance of the first word of each pair to the second, which gets no gradient; 0 without pairs."""
    kind, of = words[kinds[:, 0]], words[kinds[:, 1]].detach()
    return (1 - F.cosine_similarity(kind, of, dim=1)).sum() / max(len(kinds), 1)
