"""Each loss against loops in float64 that are written from its definition, one number at a time."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from zeroseg import losses

B, P, S, V, D = 2, 5, 3, 4, 6


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def shares(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


SEGMENTS, PATCHES, VIEWS = numbers(B, S, D, seed=1), numbers(B, P, D, seed=2), numbers(B, V, D, seed=3)
MASKS = numbers(B, S, P, seed=4).softmax(dim=1)
SALIENCE = numbers(B, P, seed=5)
COVERAGE = shares(B, P, V, seed=6)
NOTHING = torch.zeros(D, dtype=torch.float64)  # where sums of embeddings begin


def l1(ours: Tensor, theirs: Tensor) -> float:
    return sum(abs(float(a) - float(b)) for a, b in zip(ours, theirs, strict=True)) / len(ours)


def close(loss: Tensor, naive: float) -> None:
    assert loss.shape == ()
    assert float(loss) == pytest.approx(naive, rel=1e-5)  # distances are taken in float32
    assert naive != 0


# --- the paper's three ----------------------------------------------------------------------------


def test_reconstruction_is_the_squared_error_of_dropped_patches_only():
    predicted, pixels = numbers(B, P, D, seed=7), numbers(B, P, D, seed=8)
    dropped = torch.tensor([[True, False, True, False, False], [False, True, True, True, False]])
    errors = [
        sum((float(predicted[b, p, x]) - float(pixels[b, p, x])) ** 2 for x in range(D)) / D
        for b in range(B)
        for p in range(P)
        if dropped[b, p]
    ]
    close(losses.reconstruction(predicted, pixels, dropped), sum(errors) / len(errors))


def test_reconstruction_without_dropped_patches_is_zero_with_zero_gradient():
    predicted = numbers(B, P, D).requires_grad_()
    loss = losses.reconstruction(predicted, numbers(B, P, D, seed=1), torch.zeros(B, P, dtype=torch.bool))
    loss.backward()
    assert float(loss.detach()) == 0
    assert predicted.grad is not None
    assert not predicted.grad.any()


def test_distillation_is_the_global_token_against_every_view():
    image = numbers(B, D, seed=9)
    naive = sum(l1(image[b], VIEWS[b, v]) for b in range(B) for v in range(V)) / (B * V)
    close(losses.multi_scale_distillation(image, VIEWS), naive)


def test_matching_is_each_token_against_its_nearest_view():
    """Equation 1 of the paper, as a mean."""
    naive = sum(min(l1(SEGMENTS[b, s], VIEWS[b, v]) for v in range(V)) for b in range(B) for s in range(S)) / (B * S)
    close(losses.segment_matching(SEGMENTS, VIEWS), naive)


def test_matching_chooses_the_nearest_in_l1_where_l2_would_choose_another():
    token = torch.zeros(1, 1, 4)
    views = torch.tensor([[[1.5, 0, 0, 0], [0.5, 0.5, 0.5, 0.5]]])  # L1: 1.5 < 2; L2: 1.5 > 1
    assert float(losses.segment_matching(token, views)) == pytest.approx(1.5 / 4)


@pytest.mark.parametrize("seed", range(3))
def test_matching_does_not_care_about_the_order_of_tokens_or_views(seed: int):
    generator = torch.Generator().manual_seed(seed)
    loss = losses.segment_matching(SEGMENTS, VIEWS)
    tokens, views = torch.randperm(S, generator=generator), torch.randperm(V, generator=generator)
    shuffled = losses.segment_matching(SEGMENTS[:, tokens], VIEWS[:, views])
    assert float(shuffled) == pytest.approx(float(loss), rel=1e-6)


def test_matching_pulls_each_token_to_its_own_view_only():
    """The gradient is the sign towards the nearest view over all means; other views do not count."""
    tokens = torch.tensor([[[0.0, 0.0], [10.0, 10.0]]], requires_grad=True)
    views = torch.tensor([[[1.0, -1.0], [11.0, 9.0]]])
    losses.segment_matching(tokens, views).backward()
    expected = torch.tensor([[[-1.0, 1.0], [-1.0, 1.0]]]) / (2 * 2)  # two tokens, two dimensions
    torch.testing.assert_close(tokens.grad, expected)


def test_pairwise_l1_of_every_pair():
    distances = losses.pairwise_l1(SEGMENTS, VIEWS)
    naive = [[[l1(SEGMENTS[b, s], VIEWS[b, v]) for v in range(V)] for s in range(S)] for b in range(B)]
    np.testing.assert_allclose(distances.numpy(), naive, rtol=1e-5)


# --- ours -----------------------------------------------------------------------------------------


def naive_overlap(coverage: Tensor) -> float:
    errors = []
    for b in range(B):
        for v in range(V):
            if float(coverage[b, :, v].sum()) <= losses.EMPTY:
                continue
            weights = [math.exp(float(SALIENCE[b, p])) * float(coverage[b, p, v]) for p in range(P)]
            say = [sum(float(MASKS[b, s, p]) * weights[p] for p in range(P)) for s in range(S)]
            mixed = sum(((say[s] / sum(say)) * SEGMENTS[b, s] for s in range(S)), NOTHING)
            errors.append(l1(mixed, VIEWS[b, v]))
    return sum(errors) / len(errors)


def naive_patch_view(coverage: Tensor) -> float:
    errors = []
    for b in range(B):
        for v in range(V):
            if float(coverage[b, :, v].sum()) <= losses.EMPTY:
                continue
            weights = [math.exp(float(SALIENCE[b, p])) * float(coverage[b, p, v]) for p in range(P)]
            mixed = sum((weights[p] / sum(weights) * PATCHES[b, p] for p in range(P)), NOTHING)
            errors.append(l1(mixed, VIEWS[b, v]))
    return sum(errors) / len(errors)


def with_empty_view() -> Tensor:
    """View 2 of picture 0 shows no visible patch; all of its patches may have been dropped."""
    coverage = COVERAGE.clone()
    coverage[0, :, 2] = 0
    return coverage


@pytest.mark.parametrize("coverage", [COVERAGE, with_empty_view()], ids=["full", "with an empty view"])
def test_overlap_matching(coverage: Tensor):
    close(losses.overlap_matching(SEGMENTS, MASKS, SALIENCE, coverage, VIEWS), naive_overlap(coverage))


@pytest.mark.parametrize("coverage", [COVERAGE, with_empty_view()], ids=["full", "with an empty view"])
def test_patch_view_matching(coverage: Tensor):
    close(losses.patch_view_matching(PATCHES, SALIENCE, coverage, VIEWS), naive_patch_view(coverage))


def test_cosine_distance_of_patches_to_their_targets():
    theirs = numbers(B, P, D, seed=9)
    distances: list[float] = []
    for b in range(B):
        for p in range(P):
            ours, target = PATCHES[b, p].tolist(), theirs[b, p].tolist()
            product = sum(x * y for x, y in zip(ours, target, strict=True))
            lengths = math.sqrt(sum(x * x for x in ours) * sum(y * y for y in target))
            distances.append(1 - product / lengths)
    close(losses.cosine_distance(PATCHES, theirs), sum(distances) / len(distances))
    assert float(losses.cosine_distance(PATCHES, 3 * PATCHES)) == pytest.approx(0, abs=1e-9)
    assert float(losses.cosine_distance(PATCHES, torch.zeros_like(PATCHES))) == 1


def test_l1_of_patches_to_their_targets():
    theirs = numbers(B, P, D, seed=9)
    distances = [l1(PATCHES[b, p], theirs[b, p]) for b in range(B) for p in range(P)]
    close(losses.mean_l1(PATCHES, theirs), sum(distances) / len(distances))


def test_dense_matching():
    errors = []
    for b in range(B):
        for p in range(P):
            weights = [float(COVERAGE[b, p, v]) for v in range(V)]
            target = sum((weights[v] / sum(weights) * VIEWS[b, v] for v in range(V)), NOTHING)
            errors.append(l1(PATCHES[b, p], target))
    close(losses.mean_l1(PATCHES, losses.mean_views(COVERAGE, VIEWS)), sum(errors) / len(errors))


def test_losses_vanish_where_every_view_is_explained():
    """Two patches, two segments, two views that each show one patch: the right answer costs nothing."""
    embeddings = numbers(1, 2, D)
    coverage = torch.eye(2, dtype=torch.float64)[None]
    salience = numbers(1, 2, seed=1)
    masks = torch.eye(2, dtype=torch.float64)[None]
    assert float(losses.overlap_matching(embeddings, masks, salience, coverage, embeddings)) < 1e-9
    assert float(losses.patch_view_matching(embeddings, salience, coverage, embeddings)) < 1e-9
    assert float(losses.mean_l1(embeddings, losses.mean_views(coverage, embeddings))) < 1e-9


@pytest.mark.parametrize("name", ["reconstruction", "distillation", "matching", "overlap", "patch_view", "dense"])
@pytest.mark.parametrize("empty", ["no view", "one view", "every view"])
def test_gradients_are_finite_even_where_views_are_empty(name: str, empty: str):
    coverage = {"no view": COVERAGE, "one view": with_empty_view(), "every view": torch.zeros_like(COVERAGE)}[empty]
    leaves = [t.float().requires_grad_() for t in (SEGMENTS, PATCHES, SALIENCE, MASKS)]
    segments, patches, salience, masks = leaves
    c, v, dropped = coverage.float(), VIEWS.float(), torch.ones(B, P, dtype=torch.bool)
    loss = {
        "reconstruction": lambda: losses.reconstruction(patches, torch.zeros(B, P, D), dropped),
        "distillation": lambda: losses.multi_scale_distillation(segments[:, 0], v),
        "matching": lambda: losses.segment_matching(segments, v),
        "overlap": lambda: losses.overlap_matching(segments, masks, salience, c, v),
        "patch_view": lambda: losses.patch_view_matching(patches, salience, c, v),
        "dense": lambda: losses.mean_l1(patches, losses.mean_views(c, v)),
    }[name]()
    loss.backward()
    assert math.isfinite(float(loss.detach()))
    gradients = [leaf.grad for leaf in leaves if leaf.grad is not None]
    assert gradients
    assert all(bool(g.isfinite().all()) for g in gradients)


def test_matching_of_a_token_that_sits_on_a_view_has_a_finite_gradient():
    tokens = VIEWS.float()[:, :S].clone().requires_grad_()
    losses.segment_matching(tokens, VIEWS.float()).backward()
    assert tokens.grad is not None
    assert bool(tokens.grad.isfinite().all())


@pytest.mark.parametrize("name", ["overlap", "patch_view"])
def test_gradient_agrees_with_differences(name: str):
    """Autograd against finite differences in float64, where the loss is smooth."""

    def loss(embeddings: Tensor, salience: Tensor) -> Tensor:
        if name == "overlap":
            return losses.overlap_matching(embeddings, MASKS, salience, COVERAGE, VIEWS)
        return losses.patch_view_matching(embeddings, salience, COVERAGE, VIEWS)

    embeddings = (SEGMENTS if name == "overlap" else PATCHES).clone().requires_grad_()
    assert torch.autograd.gradcheck(loss, (embeddings, SALIENCE.clone().requires_grad_()))


# --- the supervised baseline ----------------------------------------------------------------------------


def test_multi_label_contrast_looks_for_any_own_text_and_for_all_own_images():
    images, texts = numbers(3, D, seed=20), numbers(4, D, seed=21)
    says = torch.tensor([[True, True, False, False], [False, True, True, False], [False, False, False, True]])
    scale = 3.0

    def chance(image: int, text: int) -> float:
        cosine = float(images[image] @ texts[text] / images[image].norm() / texts[text].norm())
        return math.exp(scale * cosine)

    found = [
        -math.log(sum(chance(i, t) for t in range(4) if says[i, t]) / sum(chance(i, t) for t in range(4)))
        for i in range(3)
    ]
    back = [
        -sum(math.log(chance(i, t) / sum(chance(j, t) for j in range(3))) for i in range(3) if says[i, t])
        / sum(bool(says[i, t]) for i in range(3))
        for t in range(4)
    ]
    loss = losses.multi_label_contrast(images, texts, says, torch.tensor(scale, dtype=torch.float64))
    close(loss, (sum(found) / 3 + sum(back) / 4) / 2)


def test_an_image_that_says_nothing_is_no_question_of_the_multi_label_contrast():
    images, texts = numbers(2, D, seed=20).requires_grad_(), numbers(2, D, seed=21)
    says = torch.tensor([[True, True], [False, False]])
    loss = losses.multi_label_contrast(images, texts, says, torch.tensor(3.0))
    assert bool(loss.isfinite())
    loss.backward()
    assert images.grad is not None
    assert bool(images.grad.isfinite().all())
