"""Diagnostics: numbers that show a collapse while it happens.

Reading a number from a device waits for the device, so these stay tensors. The loop reads them only in steps that it
logs.

Letters: B image, S segment, P patch, V view, D embedding width.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from zeroseg.losses import pairwise_l1


def token_cosine(segments: Float[Tensor, "B S D"]) -> Float[Tensor, ""]:
    """Mean cosine between different segment tokens of an image, -1..1: it is 1 if all of them are equal."""
    unit = F.normalize(segments.float(), dim=-1)
    count = unit.shape[1]
    total = (unit @ unit.transpose(1, 2)).sum(dim=(1, 2)) - unit.square().sum(dim=(1, 2))
    return total.mean() / max(1, count * (count - 1))


def segments_in_use(masks: Float[Tensor, "B S P"]) -> Float[Tensor, ""]:
    """The mean number of segments of an image that win at least one patch, 1..S."""
    winners = F.one_hot(masks.argmax(dim=1), masks.shape[1]).amax(dim=1)
    return winners.sum(dim=1).float().mean()


def assignment_entropy(masks: Float[Tensor, "B S P"]) -> Float[Tensor, ""]:
    """Mean entropy of a patch's assignment, divided by the largest possible one: 1 is uniform, 0 is decided."""
    entropy = -(masks * masks.clamp(min=1e-9).log()).sum(dim=1).mean()
    return entropy / torch.tensor(float(masks.shape[1])).log().clamp(min=1e-9)


def nearest_views(segments: Float[Tensor, "B S D"], views: Float[Tensor, "B V D"]) -> Int[Tensor, "B S"]:
    """The number of the view nearest to each segment token, in L1: the target of the paper's matching."""
    return pairwise_l1(segments, views).argmin(dim=2)


def read(
    segments: Float[Tensor, "B S D"],
    masks: Float[Tensor, "B S P"],
    views: Float[Tensor, "B V D"],
    fraction: float = 1.0,
) -> dict[str, Tensor]:
    """All diagnostics by name; `nearest` counts for each view the tokens that are nearest to it.

    `fraction`: the fraction of the batch that these images are. Means are multiplied by it, so that the sums over all
    parts of a batch are the numbers of the batch.
    """
    means = {
        "token_cosine": token_cosine(segments),
        "segments_in_use": segments_in_use(masks),
        "assignment_entropy": assignment_entropy(masks),
    }
    counts = dict[str, Tensor]()
    if views.shape[1]:  # else the whole image is the only view
        nearest = nearest_views(segments, views)
        # the number of different views of an image that are nearest to a token
        means["views_chosen"] = F.one_hot(nearest, views.shape[1]).amax(dim=1).sum(dim=1).float().mean()
        counts["nearest"] = torch.bincount(nearest.flatten(), minlength=views.shape[1])
    return {name: value * fraction for name, value in means.items()} | counts
