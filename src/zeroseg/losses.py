"""What the student learns from, as pure functions. The first three are the paper's, the last its rival's,
the others ours.

Distances are L1, and a mean over the embedding's dimensions: a sum would only rescale the loss with the teacher's
width, and the weights between losses with it. `docs/method.md` says which equation each is.

Letters: B image, P patch (the visible ones, in training), S segment, V view, D embedding width, X pixel values.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

EMPTY = 1e-6  # below this coverage a view shows none of the patches


def reconstruction(
    predicted: Float[Tensor, "B P X"], pixels: Float[Tensor, "B P X"], dropped: Bool[Tensor, "B P"]
) -> Float[Tensor, ""]:
    """Mean squared error on the pixels of the dropped patches (MAE); 0 where none was dropped."""
    error = ((predicted - pixels) ** 2).mean(dim=-1)
    return (error * dropped).sum() / dropped.sum().clamp(min=1)


def multi_scale_distillation(image: Float[Tensor, "B D"], views: Float[Tensor, "B V D"]) -> Float[Tensor, ""]:
    """The global token against every view (paper, section 3: multi-scaled feature distillation)."""
    return (image[:, None] - views).abs().mean()


def segment_matching(segments: Float[Tensor, "B S D"], local_views: Float[Tensor, "B V D"]) -> Float[Tensor, ""]:
    """Every segment token against its nearest local view (paper, equation 1), mean over tokens and images."""
    distances = pairwise_l1(segments, local_views)
    return distances.min(dim=2).values.mean()


def pairwise_l1(ours: Float[Tensor, "B S D"], theirs: Float[Tensor, "B V D"]) -> Float[Tensor, "B S V"]:
    """L1 distances between two sets of embeddings, mean over dimensions."""
    return torch.cdist(ours.float(), theirs.float(), p=1) / ours.shape[-1]


def overlap_matching(
    segments: Float[Tensor, "B S D"],
    masks: Float[Tensor, "B S P"],
    salience: Float[Tensor, "B P"],
    coverage: Float[Tensor, "B P V"],
    views: Float[Tensor, "B V D"],
) -> Float[Tensor, ""]:
    """Every view is predicted by the segment tokens that lie in it.

    A token's weight in a view is the salience-weighted fraction of the view's patches that the (soft) masks give it.
    Every view must be explained, so no cheap view can draw all tokens to itself.
    """
    weight = salience.exp()[:, :, None] * coverage  # B P V
    said = torch.einsum("bsp,bpv->bvs", masks, weight)
    said = said / said.sum(dim=2, keepdim=True).clamp(min=EMPTY)
    return _explained(said @ segments, coverage, views)


def patch_view_matching(
    patches: Float[Tensor, "B P D"],
    salience: Float[Tensor, "B P"],
    coverage: Float[Tensor, "B P V"],
    views: Float[Tensor, "B V D"],
) -> Float[Tensor, ""]:
    """Every view is the salience-weighted mean of the patch embeddings inside it."""
    weight = salience.exp()[:, :, None] * coverage
    weight = weight / weight.sum(dim=1, keepdim=True).clamp(min=EMPTY)
    return _explained(torch.einsum("bpv,bpd->bvd", weight, patches), coverage, views)


def dense_matching(
    patches: Float[Tensor, "B P D"], relevance: Float[Tensor, "B P V"], views: Float[Tensor, "B V D"]
) -> Float[Tensor, ""]:
    """Every patch against the mean of the views, weighted by how much they say about it."""
    weight = relevance / relevance.sum(dim=2, keepdim=True).clamp(min=EMPTY)
    return (patches - weight @ views).abs().mean()


def multi_label_contrast(
    images: Float[Tensor, "B D"], texts: Float[Tensor, "L D"], says: Bool[Tensor, "B L"], scale: Float[Tensor, ""]
) -> Float[Tensor, ""]:
    """Contrast of images with texts of which each image says some (GroupViT's multi-label contrastive loss).

    An image is to find any of its texts among all texts, a text its images among all images, each mean of both ways.
    With one text an image it is CLIP's loss. Images that say nothing do not count.
    """
    logits = scale * F.normalize(images, dim=-1) @ F.normalize(texts, dim=-1).T
    speaks = says.any(dim=1)
    chances = logits.log_softmax(dim=1).masked_fill(~says, -torch.inf)[speaks].logsumexp(dim=1)
    truth = says.float() / says.sum(dim=0, keepdim=True).clamp(min=1)
    back = F.cross_entropy(logits.T, truth.T)
    return (back - chances.sum() / speaks.sum().clamp(min=1)) / 2


def shown_views(coverage: Float[Tensor, "B P V"]) -> Bool[Tensor, "B V"]:
    """Which views show at least one of the patches."""
    return coverage.sum(dim=1) > EMPTY


def _explained(
    predicted: Float[Tensor, "B V D"], coverage: Float[Tensor, "B P V"], views: Float[Tensor, "B V D"]
) -> Float[Tensor, ""]:
    """Mean L1 over the views that show at least one of the patches."""
    shown = shown_views(coverage)
    error = (predicted - views).abs().mean(dim=-1)
    return (error * shown).sum() / shown.sum().clamp(min=1)
