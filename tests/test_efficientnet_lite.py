"""EfficientNet-Lite: TensorFlow's padding, the published sizes, and batch norms folded away without a trace."""

from math import ceil

import pytest
import torch
import torch.nn.functional as F

from zeroseg.efficientnet_lite import EPSILON, STAGES, Block, EfficientNetLite, SameConv2d, folded, round_channels

CLASSIFIER = 1280 * 1000 + 1000
PUBLISHED = {"lite0": 4_652_008, "lite1": 5_416_680, "lite2": 6_092_072}  # parameters, with batch norms and classifier


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def same(x: torch.Tensor, kernel: int, stride: int) -> torch.Tensor:
    """TensorFlow's "same" padding, as its manual gives it: what is missing for ceil(n / stride) outputs, less first."""
    total = [max((ceil(n / stride) - 1) * stride + kernel - n, 0) for n in x.shape[-2:]]
    return F.pad(x, (total[1] // 2, total[1] - total[1] // 2, total[0] // 2, total[0] - total[0] // 2))


@pytest.mark.parametrize("size", [(6, 6), (7, 6), (5, 8), (1, 3)])
@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (3, 1), (5, 1), (3, 2), (5, 2)])
def test_padding_is_tensorflows(kernel: int, stride: int, size: tuple[int, int]):
    """Pixel by pixel: the kernel is laid over the picture, and what lies outside counts as 0."""
    layer = SameConv2d(1, 1, kernel, stride).double()
    assert layer.bias is not None
    x, weight, bias = random(1, 1, *size), layer.weight.detach()[0, 0], layer.bias.detach()
    ours = layer(x).detach()
    outputs = [ceil(n / stride) for n in size]
    before = [max((out - 1) * stride + kernel - n, 0) // 2 for out, n in zip(outputs, size, strict=True)]
    assert list(ours.shape[-2:]) == outputs
    for i in range(outputs[0]):
        for j in range(outputs[1]):
            expected = bias[0].clone()
            for a in range(kernel):
                for b in range(kernel):
                    row, column = i * stride - before[0] + a, j * stride - before[1] + b
                    if 0 <= row < size[0] and 0 <= column < size[1]:
                        expected += weight[a, b] * x[0, 0, row, column]
            torch.testing.assert_close(ours[0, 0, i, j], expected)


def test_channels_are_rounded_as_in_efficientnet_b2():
    assert [round_channels(1.1 * stage[-1]) for stage in STAGES] == [16, 24, 48, 88, 120, 208, 352]
    assert [round_channels(stage[-1]) for stage in STAGES] == [16, 24, 40, 80, 112, 192, 320]
    assert round_channels(11.0) == 16  # 8 would be more than a tenth too few
    assert round_channels(1.0) == 8


@pytest.mark.parametrize(("variant", "blocks", "fine"), [("lite0", 16, 112), ("lite1", 21, 112), ("lite2", 21, 120)])
def test_sizes_are_the_published_ones(variant: str, blocks: int, fine: int):
    """A batch norm has two parameters a channel; folded, one is left."""
    with torch.device("meta"):
        tower = EfficientNetLite(variant)
        maps = tower(torch.zeros(1, 3, 64, 64))
    assert len(tower.blocks) == blocks
    biases = sum(p.numel() for name, p in tower.named_parameters() if name.endswith("bias"))
    assert sum(p.numel() for p in tower.parameters()) + biases + CLASSIFIER == PUBLISHED[variant]
    assert [tuple(found.shape) for found in maps] == [(1, fine, 4, 4), (1, 1280, 2, 2)]
    assert tower.fine_channels == fine


def test_lite0_has_3_35_million_parameters():
    with torch.device("meta"):
        assert sum(p.numel() for p in EfficientNetLite().parameters()) == 3_350_000


@pytest.mark.parametrize("size", [(32, 32), (48, 33), (17, 95)])
def test_maps_of_any_size_are_rounded_up(size: tuple[int, int]):
    with torch.device("meta"):
        fine, last = EfficientNetLite()(torch.zeros(1, 3, *size))
    assert tuple(fine.shape[-2:]) == tuple(ceil(n / 16) for n in size)
    assert tuple(last.shape[-2:]) == tuple(ceil(n / 32) for n in size)


# --- the pretrained package's format ----------------------------------------------------------------


def saved_state(variant: str) -> dict[str, torch.Tensor]:
    """A random state dict under the names of `efficientnet-lite-pytorch`, with its classifier."""
    state: dict[str, torch.Tensor] = {}

    def add(convolution: str, norm: str, layer: SameConv2d) -> None:
        seed, weight = len(state), layer.weight
        state[f"{convolution}.weight"] = random(*weight.shape, seed=seed) * (2 / weight[0].numel()) ** 0.5
        for place, name in enumerate(("weight", "bias", "running_mean", "running_var")):
            values = random(len(weight), seed=seed + place + 1) * 0.2
            state[f"{norm}.{name}"] = values.exp() if name in ("weight", "running_var") else values
        state[f"{norm}.num_batches_tracked"] = torch.tensor(7)

    tower = EfficientNetLite(variant)
    add("_conv_stem", "_bn0", tower.stem)
    for number, block in enumerate(tower.blocks):
        assert isinstance(block, Block)
        if block.expand is not None:
            add(f"_blocks.{number}._expand_conv", f"_blocks.{number}._bn0", block.expand)
        add(f"_blocks.{number}._depthwise_conv", f"_blocks.{number}._bn1", block.depthwise)
        add(f"_blocks.{number}._project_conv", f"_blocks.{number}._bn2", block.project)
    add("_conv_head", "_bn1", tower.last)
    return state | {"_fc.weight": random(1000, 1280), "_fc.bias": random(1000)}


def unfolded(state: dict[str, torch.Tensor], x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Lite0 as the package runs it: convolutions without biases, each with its batch norm."""

    def step(x: torch.Tensor, convolution: str, norm: str, stride: int = 1) -> torch.Tensor:
        weight = state[f"{convolution}.weight"]
        groups = len(weight) if weight.shape[1] == 1 else 1
        x = F.conv2d(same(x, weight.shape[-1], stride), weight, stride=stride, groups=groups)
        mean, variance = state[f"{norm}.running_mean"], state[f"{norm}.running_var"]
        return F.batch_norm(x, mean, variance, state[f"{norm}.weight"], state[f"{norm}.bias"], eps=EPSILON)

    x, number, fine = F.relu6(step(x, "_conv_stem", "_bn0", 2)), 0, x
    for repeats, _, stride, expansion, _ in STAGES:
        for repeat in range(repeats):
            name = f"_blocks.{number}."
            fine = x if number == 11 else fine
            y = F.relu6(step(x, f"{name}_expand_conv", f"{name}_bn0")) if expansion > 1 else x
            y = F.relu6(step(y, f"{name}_depthwise_conv", f"{name}_bn1", stride if repeat == 0 else 1))
            y = step(y, f"{name}_project_conv", f"{name}_bn2")
            x, number = x + y if repeat else y, number + 1
    return fine, F.relu6(step(x, "_conv_head", "_bn1"))


@pytest.mark.parametrize("size", [(64, 64), (50, 37)])
def test_folded_tower_computes_what_convolutions_and_batch_norms_do(size: tuple[int, int]):
    state = saved_state("lite0")
    tower = EfficientNetLite().double()
    tower.load_state_dict(folded(state), strict=True)
    x = random(2, 3, *size, seed=3)
    with torch.no_grad():
        ours, theirs = tower(x), unfolded(state, x)
    for mine, expected in zip(ours, theirs, strict=True):
        assert float(expected.std()) > 0.1  # the weights let the picture through
        torch.testing.assert_close(mine, expected)


@pytest.mark.parametrize("variant", ["lite1", "lite2"])
def test_deeper_and_wider_towers_are_folded_whole(variant: str):
    tensors, own = folded(saved_state(variant)), EfficientNetLite(variant).state_dict()
    assert {name: tensor.shape for name, tensor in tensors.items()} == {name: own[name].shape for name in own}
