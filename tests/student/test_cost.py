"""Counted costs against torch's own counter on the real modules, and against the hand count in docs/method.md."""

import re
from dataclasses import replace
from math import ceil
from pathlib import Path

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from zeroseg.student.config import StudentConfig
from zeroseg.student.cost import PARTS, count_flops, count_parameters, training_flops
from zeroseg.student.encoder import random_keep
from zeroseg.student.model import Student

METHOD = Path(__file__).parents[2] / "docs" / "method.md"
LITE_TABLE = METHOD.read_text(encoding="utf-8").split("## What the convolutional encoder costs")[1]
MASK_RATIO = 0.6

SMALL = StudentConfig(
    image_size=32,
    patch_size=8,
    width=24,
    layers=2,
    heads=3,
    decoder_width=16,
    decoder_layers=2,
    decoder_heads=2,
    segment_tokens=(6, 3),
    embedding_width=20,
    inference_size=32,
)
OURS = replace(
    SMALL,
    positions="learned",
    grouping="light",
    assignment="cosine",
    patch_head=True,
    decoder_layers=0,
    input_norm=True,
)
LIGHT_WITH_DECODER = replace(SMALL, grouping="light")
MEANS = replace(OURS, segment_embedding="mean")
TOWER = replace(OURS, class_token=False, last_attention="own", patch_projection="linear")
POOLED = replace(OURS, last_attention="own", patch_projection="pooled")
LITE = replace(OURS, encoder="efficientnet_lite0", patch_size=16, image_size=80)
LITE_WITH_DECODER = replace(LITE, decoder_layers=2, image_size=64)
UNEVEN = replace(SMALL, grouping_after=(1, 2), head_layers=4, segment_tokens=(5, 7))


def measured_flops(config: StudentConfig, mask_ratio: float, images: int = 1) -> dict[str, float]:
    """What torch counts, an image, while the student runs."""
    student = Student(config).eval().requires_grad_(False)
    pixels = torch.zeros(images, 3, config.image_size, config.image_size)
    keep = random_keep(images, config.grid**2, mask_ratio, torch.Generator())
    # The counter knows the plain kernel of attention on every machine, the fused ones only on some.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        output = student(pixels, keep)
        if config.decoder_layers:
            student.reconstruct(output.tokens, keep)
    by_module = {name: sum(counts.values()) / images for name, counts in counter.get_flop_counts().items()}

    def inside(modules: str) -> float:
        return sum(flops for name, flops in by_module.items() if re.fullmatch(rf"Student\.({modules})", name))

    parts = {
        "encoder": inside("encoder"),
        "layers": inside(r"layers\.\d+"),
        "projections": inside("(segment|global|patch)_projection|global_layer|salience"),
        "decoder": inside("decoder"),
    }
    total = counter.get_total_flops() / images
    # The composition of both stages runs in the student itself, outside of any of its modules.
    return parts | {"groupings": total - sum(parts.values()), "total": total}


@pytest.mark.parametrize("mask_ratio", [0.0, 0.3, MASK_RATIO])
@pytest.mark.parametrize(
    "config",
    [SMALL, OURS, MEANS, TOWER, POOLED, UNEVEN, LITE, LITE_WITH_DECODER, LIGHT_WITH_DECODER],
    ids=["paper", "ours", "means", "tower", "pooled", "uneven", "lite", "lite with decoder", "light with decoder"],
)
def test_flops_are_those_that_torch_counts(config: StudentConfig, mask_ratio: float):
    assert count_flops(config, mask_ratio) == measured_flops(config, mask_ratio, images=3)


def test_flops_at_paper_size_are_those_that_torch_counts():
    assert count_flops(StudentConfig(), MASK_RATIO) == measured_flops(StudentConfig(), MASK_RATIO)


@pytest.mark.parametrize("config", [SMALL, OURS, LITE], ids=["paper", "ours", "lite"])
def test_parameters_are_those_of_the_real_modules(config: StudentConfig):
    student = Student(config)
    counts = count_parameters(config)

    assert counts["total"] == sum(parameter.numel() for parameter in student.parameters())
    assert counts["total"] == sum(counts[part] for part in PARTS)
    assert counts["encoder"] == sum(parameter.numel() for parameter in student.encoder.parameters())
    assert counts["groupings"] == sum(parameter.numel() for parameter in student.groupings.parameters())


def test_a_student_without_decoder_has_none_to_count():
    assert count_parameters(OURS)["decoder"] == 0
    assert count_flops(OURS, MASK_RATIO)["decoder"] == 0.0


def test_a_training_step_costs_three_forward_passes():
    assert training_flops(SMALL, MASK_RATIO) == 3 * count_flops(SMALL, MASK_RATIO)["total"]


def backward_flops(config: StudentConfig, trainable_blocks: int) -> float:
    """What torch counts, an image, in a forward and a backward pass."""
    student = Student(config)
    student.encoder.train_last(trainable_blocks)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        output = student(torch.zeros(1, 3, config.image_size, config.image_size))
        assert output.patches is not None
        assert output.salience is not None
        results = (output.segments, output.image, output.masks, output.patches, output.salience)
        torch.stack([result.sum() for result in results]).sum().backward()
    return float(counter.get_total_flops())


@pytest.mark.parametrize("blocks", [0, 1, 2])
def test_a_step_that_trains_some_layers_costs_what_torch_counts(blocks: int):
    """Torch leaves out the gradient of the first layers' inputs too, so it counts a little less."""
    counted = training_flops(OURS, 0.0, blocks)
    assert 0.9 < backward_flops(OURS, blocks) / counted <= 1
    assert counted <= training_flops(OURS, 0.0)


def test_a_step_with_a_frozen_tower_costs_what_torch_counts():
    counted = training_flops(LITE, 0.0, 0)
    assert 0.9 < backward_flops(LITE, 0) / counted <= 1


@pytest.mark.parametrize("blocks", [1, 5])
def test_a_block_that_is_trained_adds_its_backward_pass(blocks: int):
    """Torch's own count of the backward pass of depthwise convolutions is far too high."""
    encoder = Student(LITE).eval().requires_grad_(False).encoder
    with FlopCounterMode(display=False) as counter:
        encoder(torch.zeros(1, 3, LITE.image_size, LITE.image_size))
    trained = {f"ConvolutionalEncoder.tower.{part}" for part in ("last", *(f"blocks.{15 - n}" for n in range(blocks)))}
    forward = sum(sum(flops.values()) for name, flops in counter.get_flop_counts().items() if name in trained)
    assert training_flops(LITE, 0.0, blocks) - training_flops(LITE, 0.0, 0) == 2 * forward > 0


def test_a_step_that_trains_all_convolutions_is_three_passes():
    assert training_flops(LITE, 0.0, 16) == training_flops(LITE, 0.0) == 3 * count_flops(LITE, 0.0)["total"]


def test_lite0_is_the_hand_count():
    """The tower step by step, and the whole encoder at a width of 256."""
    rows = [
        tuple(int(n.replace(",", "")) for n in row)
        for row in re.findall(r"^\| .+ \| ([\d,]+) \| ([\d,]+) \|$", LITE_TABLE, re.M)
    ]
    *steps, tower = rows
    assert len(steps) == 9
    assert tower == tuple(map(sum, zip(*steps, strict=True)))
    config = replace(LITE, width=256, heads=8, image_size=224)
    counts = count_parameters(config)["encoder"], int(count_flops(config, 0.0)["encoder"])
    assert counts == (tower[0] + 357_376, tower[1] + 43_352_064)
    assert "{:,} parameters, {:,} FLOP".format(*counts) in LITE_TABLE


def test_lite0_at_its_own_size_has_its_published_operations():
    """About .39 G multiplications with additions, without the classifier's 1.3 M."""
    config = replace(LITE, image_size=224)
    projections = 2 * (196 * 112 + 49 * 1280) * config.width
    assert (count_flops(config, 0.0)["encoder"] - projections) / 2 == pytest.approx(0.385e9, rel=0.01)


@pytest.mark.parametrize("side", [48, 96, 224])
def test_convolutions_are_those_that_hooks_count(side: int):
    config, counted = replace(LITE, image_size=side), list[int]()

    def count(layer: torch.nn.Module, _: object, output: torch.Tensor) -> None:
        assert isinstance(layer, torch.nn.Conv2d)
        inputs = layer.in_channels // layer.groups * layer.kernel_size[0] * layer.kernel_size[1]
        counted.append(2 * inputs * output.numel())

    with torch.device("meta"):
        encoder = Student(config).encoder
        for module in encoder.modules():
            if isinstance(module, torch.nn.Conv2d):
                module.register_forward_hook(count)
        encoder.get_submodule("tower")(torch.zeros(1, 3, side, side))
    projections = 2 * ((side // 16) ** 2 * 112 + ceil(side / 32) ** 2 * 1280) * config.width
    assert count_flops(config, 0.0)["encoder"] == sum(counted) + projections


def hand_counts() -> dict[str, list[int]]:
    """The hand count in docs/method.md: part -> parameters, operations forward, and both for the light head."""
    rows = re.findall(r"^\| (\w+)((?: \| [\d,]+){4}) \|$", _method(), re.M)
    return {part: [int(count.replace(",", "")) for count in counts.split(" | ")[1:]] for part, counts in rows}


def _method() -> str:
    return METHOD.read_text(encoding="utf-8")


@pytest.mark.parametrize("part", [*PARTS, "total"])
def test_paper_size_is_the_hand_count(part: str):
    heads = (StudentConfig(), StudentConfig(grouping="light"))
    counts = [
        f(head, *also)[part] for head in heads for f, also in ((count_parameters, ()), (count_flops, (MASK_RATIO,)))
    ]

    assert counts == hand_counts()[part]


def test_training_step_is_the_hand_count():
    written = re.search(r"Training step: 3 x [\d,]+ = ([\d,]+) FLOP an image", _method())

    assert written is not None
    assert training_flops(StudentConfig(), MASK_RATIO) == int(written[1].replace(",", ""))
