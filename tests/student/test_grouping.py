"""The grouping blocks against naive loops over single tokens, written from the description of GroupViT's head.

The paper's form is also held against the port of GroupViT in transformers, with the same weights. (What that port does
with the result, at inference, is not GroupViT's, and is not compared.)
"""

import math
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import nn
from transformers import GroupViTVisionConfig
from transformers.models.groupvit.modeling_groupvit import GroupViTStage

from tests.tiny import PATCH_STUDENT, STUDENT, shake, student
from zeroseg.student import Student, StudentConfig
from zeroseg.student.encoder import Block
from zeroseg.student.grouping import (
    LARGEST_SCALE,
    Grouping,
    GroupViTGrouping,
    LightGrouping,
    straight_through,
    weighted_mean,
)

WIDTH, HEADS, SEGMENTS, TOKENS = 8, 2, 3, 11
FORMS = ["light", "groupvit"]
NONE = torch.zeros(2, 0, WIDTH)
Array = np.ndarray


def grouping(assignment: Any, form: str = "light") -> Grouping:
    if form == "light":
        module: Grouping = LightGrouping(WIDTH, HEADS, SEGMENTS, assignment)
    else:
        module = GroupViTGrouping(WIDTH, HEADS, SEGMENTS, 0, assignment)
    shake(module, seed=3)
    return module.eval()


def travelled(form: str) -> torch.Tensor:
    """Group tokens for two images, as if they came out of a stage's layers."""
    return tokens(seed=7, count=SEGMENTS) if form == "groupvit" else NONE


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


def mix(mixed: list[Array], module: Any) -> list[Array]:
    """An MLP over the tokens, channel by channel."""
    channels = [mlp(np.array([token[channel] for token in mixed]), module.mlp) for channel in range(WIDTH)]
    return [np.array(token) for token in zip(*channels, strict=True)]


def looked(module: Grouping, groups: list[Array], normed: list[Array]) -> tuple[list[Array], list[Array]]:
    """The segment tokens after they have looked at the image tokens, and what their queries are made of."""
    segments: list[Array] = []
    if isinstance(module, LightGrouping):
        for start in array(module.segment_tokens[0]):
            gathered = start + attend(norm(start, module.norm_segments), normed, module.attention)
            segments.append(gathered + mlp(norm(gathered, module.norm_gathered), module.gathered_mlp))
        return segments, [norm(segment, module.norm_query) for segment in segments]
    assert isinstance(module, GroupViTGrouping)
    for mixed in mix([norm(group, module.norm_groups) for group in groups], module.mix_groups):
        start = norm(mixed, module.norm_mixed)
        gathered = start + attend(start, normed, module.attention)
        whole = gathered + mlp(norm(gathered, module.norm_gathered), module.gathered_mlp)
        segments.append(norm(whole, module.norm_segments))
    return segments, segments


def naive(module: Any, image: Array, groups: list[Array]) -> tuple[Array, Array]:
    """New segment tokens and the soft assignment of one image's tokens (N D), at inference."""
    normed = [norm(x, module.norm_tokens) for x in image]
    segments, asking = looked(module, groups, normed)
    queries = [linear(s, module.query) for s in asking]
    soft = np.zeros((len(segments), len(normed)))
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


def transformer_layer(module: Any, inputs: list[Array]) -> list[Array]:
    normed, outputs = [norm(x, module.norm1) for x in inputs], []
    for x, y in zip(inputs, normed, strict=True):
        x = x + attend(y, normed, module.attention)
        outputs.append(x + mlp(norm(x, module.norm2), module.mlp))
    return outputs


def naive_head(model: Student, patches: Array) -> tuple[Array, Array]:
    """The paper's head on the encoder's tokens of one image: segment tokens after the last layer, and masks."""
    first: Any = model.groupings[0]
    second: Any = model.groupings[1]
    image = list(patches)
    groups = list(array(first.first_tokens[0]))
    for layer in list(model.layers)[:2]:
        both = transformer_layer(layer, [*image, *groups])
        image, groups = both[: len(image)], both[len(image) :]
    segments, to_first = naive(first, np.array(image), groups)
    mixed = mix([norm(group, second.norm_earlier) for group in groups], second.mix_earlier)
    image, groups = list(segments), [own + more for own, more in zip(array(second.first_tokens[0]), mixed, strict=True)]
    for layer in list(model.layers)[2:4]:
        both = transformer_layer(layer, [*image, *groups])
        image, groups = both[: len(image)], both[len(image) :]
    segments, to_second = naive(second, np.array(image), groups)
    return np.array(transformer_layer(model.layers[4], list(segments))), to_second @ to_first


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("assignment", ["gumbel", "cosine"])
@pytest.mark.parametrize("count", [2, TOKENS])
def test_block_at_inference_is_the_naive_loop(form: str, assignment: str, count: int):
    module, images, groups = grouping(assignment, form), tokens(count=count), travelled(form)
    with torch.no_grad():
        segments, soft = module(images, groups)
    for image, group, ours, our_soft in zip(images, groups, segments, soft, strict=True):
        expected, expected_soft = naive(module, array(image), list(array(group)))
        np.testing.assert_allclose(our_soft.numpy(), expected_soft, atol=1e-5)
        np.testing.assert_allclose(ours.numpy(), expected, atol=1e-4)


@pytest.mark.parametrize("assignment", ["gumbel", "cosine"])
def test_the_papers_head_is_the_naive_one(assignment: Any):
    """Group tokens travel with the patches and, mixed, start the second stage's; the naive head is in float64."""
    config = replace(STUDENT, width=WIDTH, heads=HEADS, assignment=assignment, decoder_layers=0)
    assert config.grouping == "groupvit"
    model: Any = student(config)
    model.segment_projection = model.global_layer = model.global_projection = nn.Identity()
    patches = tokens(seed=1)
    model.encoder.forward = lambda *_: patches
    with torch.no_grad():
        output = model(torch.zeros(2, 3, 32, 32))
    for image, segments, masks in zip(patches, output.segments, output.masks, strict=True):
        expected, expected_masks = naive_head(model, array(image))
        np.testing.assert_allclose(masks.numpy(), expected_masks, atol=1e-5)
        np.testing.assert_allclose(segments.numpy(), expected, atol=1e-4)


def ported(port: GroupViTStage, layers: nn.ModuleList, module: Any) -> None:
    """Give our layers and block the weights of a stage of transformers."""
    theirs = port.state_dict()
    layer = {
        "layer_norm1": "norm1", "layer_norm2": "norm2", "mlp.fc1": "mlp.first", "mlp.fc2": "mlp.second",
        "self_attn.q_proj": "attention.query", "self_attn.k_proj": "attention.key",
        "self_attn.v_proj": "attention.value", "self_attn.out_proj": "attention.out",
    }  # fmt: skip
    names = {f"layers.{n}.{old}": f"layers.{n}.{new}" for n in range(len(layers)) for old, new in layer.items()} | {
        "group_projector.0": "norm_earlier", "group_projector.1.fc1": "mix_earlier.mlp.first",
        "group_projector.1.fc2": "mix_earlier.mlp.second", "downsample.norm_tokens": "norm_groups",
        "downsample.mlp_inter.fc1": "mix_groups.mlp.first", "downsample.mlp_inter.fc2": "mix_groups.mlp.second",
        "downsample.norm_post_tokens": "norm_mixed", "downsample.norm_x": "norm_tokens",
        "downsample.pre_assign_attn.attn.q_proj": "attention.query",
        "downsample.pre_assign_attn.attn.k_proj": "attention.key",
        "downsample.pre_assign_attn.attn.v_proj": "attention.value",
        "downsample.pre_assign_attn.attn.out_proj": "attention.out",
        "downsample.pre_assign_attn.norm2": "norm_gathered",
        "downsample.pre_assign_attn.mlp.fc1": "gathered_mlp.first",
        "downsample.pre_assign_attn.mlp.fc2": "gathered_mlp.second",
        "downsample.pre_assign_attn.norm_post": "norm_segments", "downsample.assign.q_proj": "query",
        "downsample.assign.k_proj": "key", "downsample.assign.v_proj": "value", "downsample.assign.proj": "out",
        "downsample.norm_new_x": "norm_out", "downsample.mlp_channels.fc1": "out_mlp.first",
        "downsample.mlp_channels.fc2": "out_mlp.second",
    }  # fmt: skip
    ours = {"first_tokens": theirs["group_token"]}
    for old, new in names.items():
        ours |= {f"{new}.{part}": theirs[f"{old}.{part}"] for part in ("weight", "bias") if f"{old}.{part}" in theirs}
    assert len(ours) == len(theirs)
    layers.load_state_dict({k.removeprefix("layers."): v for k, v in ours.items() if k.startswith("layers.")})
    module.load_state_dict({k: v for k, v in ours.items() if not k.startswith("layers.")})


@pytest.mark.parametrize("earlier", [0, 5])
def test_a_stage_is_transformers_port_of_groupvits(earlier: int):
    """Travelling tokens, mixers, post-norm and assignment: two layers and the block, with the same weights."""
    config = GroupViTVisionConfig(
        hidden_size=WIDTH, intermediate_size=4 * WIDTH, num_attention_heads=HEADS, hidden_act="gelu"
    )
    port = GroupViTStage(
        config, depth=2, num_prev_group_token=earlier, num_group_token=SEGMENTS, num_output_group=SEGMENTS
    ).eval()
    shake(port, seed=5)
    module = GroupViTGrouping(WIDTH, HEADS, SEGMENTS, earlier, "gumbel").eval()
    layers = nn.ModuleList(Block(WIDTH, HEADS) for _ in range(2))
    ported(port, layers, module)
    images, before = tokens(), tokens(seed=2, count=earlier)
    with torch.no_grad():
        segments, groups, soft = port(images, before if earlier else None, output_attentions=True)
        both = torch.cat([images, module.group_tokens(before)], dim=1)
        for layer in layers:
            both = layer(both)
        ours, our_soft = module(both[:, :TOKENS], both[:, TOKENS:])
    torch.testing.assert_close(both[:, TOKENS:], groups, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(our_soft, soft, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(ours, segments, atol=1e-5, rtol=1e-5)


def test_group_tokens_start_as_groupvits():
    """The first stage's with a spread of .02, the second stage's at 0; then they differ from image to image."""
    model = Student(STUDENT)
    first, second = cast(list[GroupViTGrouping], [*model.groupings])
    assert 0.01 < float(first.first_tokens.detach().std()) < 0.03
    assert not bool(second.first_tokens.any())
    groups = second.group_tokens(tokens(count=STUDENT.segment_tokens[0]).repeat(1, 1, STUDENT.width // WIDTH))
    assert groups.shape == (2, STUDENT.segment_tokens[1], STUDENT.width)
    assert not torch.allclose(groups[0], groups[1])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("assignment", ["gumbel", "cosine"])
def test_soft_assignment_of_every_token_sums_to_one_in_training_too(form: str, assignment: str):
    module = grouping(assignment, form).train()
    _, soft = module(tokens(), travelled(form), torch.Generator().manual_seed(0))
    assert soft.shape == (2, SEGMENTS, TOKENS)
    assert bool((soft >= 0).all())
    torch.testing.assert_close(soft.sum(dim=1), torch.ones(2, TOKENS))


def test_cosine_scale_is_held_under_its_ceiling():
    module = grouping("cosine")
    with torch.no_grad():
        module.log_scale.fill_(math.log(LARGEST_SCALE))
        at_ceiling = module(tokens(), NONE)[1]
        module.log_scale.fill_(50.0)
        torch.testing.assert_close(module(tokens(), NONE)[1], at_ceiling)


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
        _, soft = module.train()(images, NONE[: len(images)], torch.Generator().manual_seed(0))
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
    module = LightGrouping(WIDTH, HEADS, 2, "gumbel")
    torch.nn.init.zeros_(module.query.weight)  # all logits are 0
    noisy = hardened(module, tokens(images=1, count=20_000))[1][0]
    difference = (noisy[0].log() - noisy[1].log()).double().numpy()
    assert difference.mean() == pytest.approx(0, abs=0.06)
    assert difference.var() == pytest.approx(math.pi**2 / 3, rel=0.05)
    for x in (-2.0, -0.5, 1.0, 3.0):
        assert (difference < x).mean() == pytest.approx(1 / (1 + math.exp(-x)), abs=0.015)


def test_noise_comes_from_the_generator_and_only_in_training():
    module, images = grouping("gumbel"), tokens()
    calm = module(images, NONE)[0]
    torch.testing.assert_close(module(images, NONE, torch.Generator().manual_seed(1))[0], calm, rtol=0, atol=0)
    module.train()
    draws = [module(images, NONE, torch.Generator().manual_seed(seed))[0] for seed in (1, 1, 2)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_temperature_sharpens_the_assignment_and_leaves_the_draw_alone():
    """Logits and noise are divided alike: the same segment wins, with a surer soft assignment (and a steeper one)."""
    module, images = grouping("gumbel"), tokens()
    _, plain = module(images, NONE)
    module.temperature = 0.25
    _, sharp = module(images, NONE)
    torch.testing.assert_close(sharp, (plain.log() / 0.25).softmax(dim=1))
    _, cold = hardened(module, images)
    module.temperature = 1.0
    _, warm = hardened(module, images)
    assert torch.equal(warm.argmax(dim=1), cold.argmax(dim=1))
    torch.testing.assert_close(cold, (warm.log() / 0.25).softmax(dim=1))


def test_cosine_assignment_has_no_noise():
    module, images = grouping("cosine"), tokens()
    assert torch.equal(module.train()(images, NONE)[0], module.eval()(images, NONE)[0])


# A key's bias shifts all logits of plain attention alike; the norm after the mixer takes out what shifts a whole token.
# What is left of their gradients is rounding, or nothing.
OUT_OF_REACH = ("attention.key.bias", "mix_groups.mlp.second.bias")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("assignment", ["gumbel", "cosine"])
def test_gradient_reaches_every_parameter(form: str, assignment: str):
    module = grouping(assignment, form).train()
    groups = travelled(form) + module.group_tokens(NONE)
    segments, _ = module(tokens(), groups, torch.Generator().manual_seed(0))
    (segments**2).sum().backward()
    for name, weight in module.named_parameters():
        assert weight.grad is not None, name
        assert bool(weight.grad.isfinite().all()), name
        assert bool(weight.grad.any()) or name in OUT_OF_REACH, name


# --- both stages ------------------------------------------------------------------------------------


@pytest.mark.parametrize("config", [STUDENT, PATCH_STUDENT], ids=["groupvit", "light"])
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
