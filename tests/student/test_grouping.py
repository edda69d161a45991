"""The grouping block against a naive loop over single tokens, written from the description of GroupViT's block."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.tiny import PATCH_STUDENT, STUDENT, shake, student
from zeroseg.student import StudentConfig
from zeroseg.student.grouping import LARGEST_SCALE, Grouping, straight_through, weighted_mean

WIDTH, HEADS, SEGMENTS, TOKENS = 8, 2, 3, 11
Array = np.ndarray


def grouping(assignment: Any) -> Grouping:
    module = Grouping(WIDTH, HEADS, SEGMENTS, assignment)
    shake(module, seed=3)
    return module.eval()


def tokens(seed: int = 0, images: int = 2, count: int = TOKENS) -> torch.Tensor:
    return torch.randn(images, count, WIDTH, generator=torch.Generator().manual_seed(seed))


# --- a naive block in numpy, float64, one vector at a time ------------------------------------------


def array(tensor: torch.Tensor) -> Array:
    return tensor.detach().double().numpy()


def norm(x: Array, module: nn.LayerNorm) -> Array:
    spread = math.sqrt(((x - x.mean()) ** 2).mean() + 1e-5)
    return (x - x.mean()) / spread * array(module.weight) + array(module.bias)


def linear(x: Array, module: nn.Linear) -> Array:
    return array(module.weight) @ x + array(module.bias)


def mlp(x: Array, module: Any) -> Array:
    inner = [value * 0.5 * (1 + math.erf(value / math.sqrt(2))) for value in linear(x, module.first)]
    return linear(np.array(inner), module.second)


def softmax(values: list[Any]) -> Array:
    powers = np.exp(np.array(values) - max(values))
    return powers / powers.sum()


def attend(query: Array, others: list[Array], module: Any) -> Array:
    q, gathered, size = linear(query, module.query), [], WIDTH // HEADS
    keys, values = [linear(x, module.key) for x in others], [linear(x, module.value) for x in others]
    for head in range(HEADS):
        part = slice(head * size, (head + 1) * size)
        weights = softmax([q[part] @ key[part] / math.sqrt(size) for key in keys])
        gathered.append(sum(w * value[part] for w, value in zip(weights, values, strict=True)))
    return linear(np.concatenate(gathered), module.out)


def naive(module: Grouping, image: torch.Tensor) -> tuple[Array, Array]:
    """New segment tokens and the soft assignment of one image's tokens (N D), at inference."""
    normed = [norm(x, module.norm_tokens) for x in array(image)]
    segments = []
    for start in array(module.segment_tokens[0]):
        gathered = start + attend(norm(start, module.norm_segments), normed, module.attention)
        segments.append(gathered + mlp(norm(gathered, module.norm_gathered), module.gathered_mlp))
    queries = [linear(norm(s, module.norm_query), module.query) for s in segments]
    soft = np.zeros((SEGMENTS, len(normed)))
    members: list[list[Array]] = [[] for _ in segments]
    keys = [linear(token, module.key) for token in normed]
    middle = sum(keys) / len(keys)
    for number, (token, key) in enumerate(zip(normed, keys, strict=True)):
        if module.assignment == "gumbel":
            logits = [q @ key / math.sqrt(WIDTH) for q in queries]
        else:
            scale = min(LARGEST_SCALE, math.exp(float(module.log_scale.detach())))
            centred = key - middle
            logits = [scale * (q @ centred) / np.linalg.norm(q) / np.linalg.norm(centred) for q in queries]
        soft[:, number] = softmax(logits)
        members[int(np.argmax(logits))].append(linear(token, module.value))
    new = []
    for segment, own in zip(segments, members, strict=True):
        mean = sum(own, np.zeros(WIDTH)) / (len(own) + 1)  # GroupViT: over the sum + 1
        segment = segment + linear(mean, module.out)
        new.append(segment + mlp(norm(segment, module.norm_out), module.out_mlp))
    return np.array(new), soft


@pytest.mark.parametrize("assignment", ["gumbel", "cosine"])
@pytest.mark.parametrize("count", [2, TOKENS])
def test_block_at_inference_is_the_naive_loop(assignment: str, count: int):
    module, images = grouping(assignment), tokens(count=count)
    with torch.no_grad():
        segments, soft = module(images)
    for image, ours, our_soft in zip(images, segments, soft, strict=True):
        expected, expected_soft = naive(module, image)
        np.testing.assert_allclose(our_soft.numpy(), expected_soft, atol=1e-5)
        np.testing.assert_allclose(ours.numpy(), expected, atol=1e-4)


@pytest.mark.parametrize("assignment", ["gumbel", "cosine"])
def test_soft_assignment_of_every_token_sums_to_one_in_training_too(assignment: str):
    module = grouping(assignment).train()
    _, soft = module(tokens(), torch.Generator().manual_seed(0))
    assert soft.shape == (2, SEGMENTS, TOKENS)
    assert bool((soft >= 0).all())
    torch.testing.assert_close(soft.sum(dim=1), torch.ones(2, TOKENS))


def test_cosine_scale_is_held_under_its_ceiling():
    module = grouping("cosine")
    with torch.no_grad():
        module.log_scale.fill_(math.log(LARGEST_SCALE))
        at_ceiling = module(tokens())[1]
        module.log_scale.fill_(50.0)
        torch.testing.assert_close(module(tokens())[1], at_ceiling)


# --- straight through ---------------------------------------------------------------------------------


def test_hard_assignment_is_one_segment_a_token():
    soft = torch.rand(2, 5, 40, generator=torch.Generator().manual_seed(0)).softmax(dim=1)
    hard = straight_through(soft)
    expected = torch.nn.functional.one_hot(soft.argmax(dim=1), 5).transpose(1, 2).float()
    torch.testing.assert_close(hard, expected, atol=1e-6, rtol=0)


def test_straight_through_gradient_is_the_soft_assignments():
    logits = torch.randn(2, 5, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    weight = torch.randn(2, 5, 7, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    through, soft = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    (straight_through(through.softmax(dim=1)) * weight).sum().backward()
    (soft.softmax(dim=1) * weight).sum().backward()
    assert soft.grad is not None
    assert bool(soft.grad.any())
    torch.testing.assert_close(through.grad, soft.grad)


def test_weighted_mean_divides_by_sum_plus_one():
    assignment = torch.tensor([[[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]]])
    values = torch.tensor([[[3.0, 6.0], [6.0, 0.0], [100.0, 100.0]]])
    torch.testing.assert_close(weighted_mean(assignment, values), torch.tensor([[[3.0, 2.0], [0.0, 0.0]]]))


# --- noise ------------------------------------------------------------------------------------------


def hardened(module: Grouping, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The soft assignment of a training step (B S N), and the noisy one of which a token's segment is the largest."""
    seen: list[torch.Tensor] = []
    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        patch.setattr(
            "zeroseg.student.grouping.straight_through", lambda noisy: seen.append(noisy) or straight_through(noisy)
        )
        _, soft = module.train()(images, torch.Generator().manual_seed(0))
    (noisy,) = seen
    return soft, noisy


def test_noise_makes_the_hard_assignment_a_draw_from_the_softmax():
    """Gumbel's property: argmax(logits + noise) falls on segment s with probability softmax(logits)_s."""
    draws = 20_000
    module = grouping("gumbel")
    module.query.weight.data *= 4  # so that segments differ
    soft, noisy = hardened(module, tokens(images=1, count=1).expand(1, draws, WIDTH))
    expected = soft[0].mean(dim=1)
    torch.testing.assert_close(soft[0], expected[:, None].expand(SEGMENTS, draws), atol=1e-4, rtol=0)  # equal tokens
    assert 0.05 < float(expected.min()) < float(expected.max()) - 0.1
    frequency = torch.bincount(noisy.argmax(dim=1).flatten(), minlength=SEGMENTS) / draws
    assert float((frequency - expected).abs().max()) < 4 * math.sqrt(0.25 / draws)  # four standard deviations


def test_noise_itself_is_standard_gumbel():
    """Logits of two segments differ by the difference of two Gumbels: a logistic, with variance pi^2 / 3."""
    module = Grouping(WIDTH, HEADS, 2, "gumbel")
    torch.nn.init.zeros_(module.query.weight)  # all logits are 0
    noisy = hardened(module, tokens(images=1, count=20_000))[1][0]
    difference = (noisy[0].log() - noisy[1].log()).double().numpy()
    assert difference.mean() == pytest.approx(0, abs=0.06)
    assert difference.var() == pytest.approx(math.pi**2 / 3, rel=0.05)
    for x in (-2.0, -0.5, 1.0, 3.0):
        assert (difference < x).mean() == pytest.approx(1 / (1 + math.exp(-x)), abs=0.015)


def test_noise_comes_from_the_generator_and_only_in_training():
    module, images = grouping("gumbel"), tokens()
    calm = module(images)[0]
    torch.testing.assert_close(module(images, torch.Generator().manual_seed(1))[0], calm, rtol=0, atol=0)
    module.train()
    draws = [module(images, torch.Generator().manual_seed(seed))[0] for seed in (1, 1, 2)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_temperature_sharpens_the_assignment_and_leaves_the_draw_alone():
    """Logits and noise are divided alike: the same segment wins, with a surer soft assignment (and a steeper one)."""
    module, images = grouping("gumbel"), tokens()
    _, plain = module(images)
    module.temperature = 0.25
    _, sharp = module(images)
    torch.testing.assert_close(sharp, (plain.log() / 0.25).softmax(dim=1))
    _, cold = hardened(module, images)
    module.temperature = 1.0
    _, warm = hardened(module, images)
    assert torch.equal(warm.argmax(dim=1), cold.argmax(dim=1))
    torch.testing.assert_close(cold, (warm.log() / 0.25).softmax(dim=1))


def test_cosine_assignment_has_no_noise():
    module, images = grouping("cosine"), tokens()
    assert torch.equal(module.train()(images)[0], module.eval()(images)[0])


@pytest.mark.parametrize("assignment", ["gumbel", "cosine"])
def test_gradient_reaches_every_parameter(assignment: str):
    module = grouping(assignment).train()
    segments, _ = module(tokens(), torch.Generator().manual_seed(0))
    (segments**2).sum().backward()
    for name, weight in module.named_parameters():
        assert weight.grad is not None, name
        assert bool(weight.grad.isfinite().all()), name
        # a key's bias shifts all logits of plain attention alike, so nothing can reach it
        assert bool(weight.grad.any()) or name == "attention.key.bias", name


# --- both stages ------------------------------------------------------------------------------------


@pytest.mark.parametrize("config", [STUDENT, PATCH_STUDENT], ids=["gumbel", "cosine"])
def test_masks_of_both_stages_are_the_product_and_sum_to_one(config: StudentConfig):
    model = student(config)
    soft: list[torch.Tensor] = []
    for block in model.groupings:
        block.register_forward_hook(lambda *call: soft.append(call[2][1]))
    images = torch.rand(2, 3, 32, 48, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        masks = model(images).masks
    first, second = (array(a) for a in soft)
    naive_product = [
        [[sum(second[b, t, s] * first[b, s, p] for s in range(5)) for p in range(24)] for t in range(3)]
        for b in range(2)
    ]
    np.testing.assert_allclose(masks.numpy(), naive_product, atol=1e-6)
    np.testing.assert_allclose(masks.sum(dim=1).numpy(), 1, atol=1e-5)
