"""The losses between images and words, as pure functions.

Letters: B image, W word, Q photo, V view.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
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
    labels: Bool[Tensor, "Q W"],
    left_out: Bool[Tensor, "Q W"],
    nothing: Float[Tensor, ""],
) -> Float[Tensor, ""]:
    """How well each view is explained by one of its photo's labels, or by none of all words; the mean over views.

    Which label it is stays open: - log of the sum of the probabilities of all labels and of `nothing`, a logit.
    `left_out`: what is not in the denominator of a photo; no label of it.
    """
    nothings = nothing.expand(*logits.shape[:2], 1)

    def total(hidden: Bool[Tensor, "Q W"]) -> Float[Tensor, "Q V"]:
        return torch.cat([logits.masked_fill(hidden[:, None], LEFT_OUT), nothings], dim=2).logsumexp(dim=2)

    return (total(left_out) - total(~labels)).mean()
