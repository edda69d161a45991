"""The losses, as pure functions. The first three are the paper's, the last is GroupViT's (text supervision), the
others are ours.

Distances are L1, the mean over the embedding's dimensions. A sum would only scale a loss with the teacher's width, and
so change the weights between the losses. `docs/method.md` gives the equation of each loss.

Letters: B image, P patch (the visible ones, in training), S segment, V view, D embedding width, X pixel values.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

EMPTY = 1e-6  # a view with less coverage than this shows none of the patches


def reconstruction(
    predicted: Float[Tensor, "B P X"], pixels: Float[Tensor, "B P X"], dropped: Bool[Tensor, "B P"]
) -> Float[Tensor, ""]:
    """Mean squared error on the pixels of the dropped patches (MAE); 0 where none was dropped."""
    error = ((predicted - pixels) ** 2).mean(dim=-1)
    return (error * dropped).sum() / dropped.sum().clamp(min=1)


def multi_scale_distillation(image: Float[Tensor, "B D"], views: Float[Tensor, "B V D"]) -> Float[Tensor, ""]:
    """Mean L1 of the global token to every view (paper, section 3: multi-scaled feature distillation)."""
    return (image[:, None] - views).abs().mean()


def segment_matching(segments: Float[Tensor, "B S D"], local_views: Float[Tensor, "B V D"]) -> Float[Tensor, ""]:
    """L1 of every segment token to its nearest local view (paper, equation 1), mean over tokens and images."""
    distances = pairwise_l1(segments, local_views)
    return distances.min(dim=2).values.mean()


def pairwise_l1(ours: Float[Tensor, "B S D"], theirs: Float[Tensor, "B V D"]) -> Float[Tensor, "B S V"]:
    """L1 distances between two sets of embeddings, the mean over dimensions."""
    return torch.cdist(ours.float(), theirs.float(), p=1) / ours.shape[-1]


def overlap_matching(
    segments: Float[Tensor, "B S D"],
    masks: Float[Tensor, "B S P"],
    salience: Float[Tensor, "B P"],
    coverage: Float[Tensor, "B P V"],
    views: Float[Tensor, "B V D"],
) -> Float[Tensor, ""]:
    """Every view is predicted by the segment tokens that lie in it: mean L1 over the views.

    A token's weight in a view is the salience-weighted fraction of the view's patches that the (soft) masks give it.
    Every view must be predicted, so the tokens cannot all match one view that is easy to predict. `masks` and
    `coverage`: 0..1.
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
    """Every view is predicted by the salience-weighted mean of the patch embeddings in it: mean L1 over the views."""
    weight = salience.exp()[:, :, None] * coverage
    weight = weight / weight.sum(dim=1, keepdim=True).clamp(min=EMPTY)
    return _explained(torch.einsum("bpv,bpd->bvd", weight, patches), coverage, views)


def mean_views(relevance: Float[Tensor, "B P V"], views: Float[Tensor, "B V D"]) -> Float[Tensor, "B P D"]:
    """For each patch the mean of the views, weighted by their `relevance` for the patch (0..1)."""
    return relevance / relevance.sum(dim=2, keepdim=True).clamp(min=EMPTY) @ views


def mean_l1(ours: Float[Tensor, "B P D"], theirs: Float[Tensor, "B P D"]) -> Float[Tensor, ""]:
    """Mean L1 of embeddings to their targets, over patches and dimensions."""
    return (ours - theirs).abs().mean()


def cosine_distance(ours: Float[Tensor, "B P D"], theirs: Float[Tensor, "B P D"]) -> Float[Tensor, ""]:
    """Mean of 1 - cosine of embeddings with their targets, 0..2. An embedding of length 0 counts as 1."""
    return (1 - F.cosine_similarity(ours, theirs, dim=-1)).mean()


def multi_label_contrast(
    images: Float[Tensor, "B D"], texts: Float[Tensor, "L D"], has_text: Bool[Tensor, "B L"], scale: Float[Tensor, ""]
) -> Float[Tensor, ""]:
    """Contrast of images with texts, of which each image has any number (GroupViT's multi-label contrastive loss).

    The loss is the mean of two cross-entropies: of an image's texts among all texts, and of a text's images among all
    images. `has_text`: which texts an image has. `scale`: the factor on cosines. With one text for each image it is
    CLIP's loss. Images without a text do not count.
    """
    logits = scale * F.normalize(images, dim=-1) @ F.normalize(texts, dim=-1).T
    counts = has_text.any(dim=1)
    likelihood = logits.log_softmax(dim=1).masked_fill(~has_text, -torch.inf)[counts].logsumexp(dim=1)
    truth = has_text.float() / has_text.sum(dim=0, keepdim=True).clamp(min=1)
    back = F.cross_entropy(logits.T, truth.T)
    return (back - likelihood.sum() / counts.sum().clamp(min=1)) / 2


def shown_views(coverage: Float[Tensor, "B P V"]) -> Bool[Tensor, "B V"]:
    """Which views show at least one of the patches."""
    return coverage.sum(dim=1) > EMPTY


def _explained(
    predicted: Float[Tensor, "B V D"], coverage: Float[Tensor, "B P V"], views: Float[Tensor, "B V D"]
) -> Float[Tensor, ""]:
    """Mean L1 of predictions to views, over the views that show at least one of the patches."""
    shown = shown_views(coverage)
    error = (predicted - views).abs().mean(dim=-1)
    return (error * shown).sum() / shown.sum().clamp(min=1)
