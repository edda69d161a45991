"""Counted costs against torch's own counter on the real modules, and against the hand count in docs/method.md."""

import re
from dataclasses import replace
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
OURS = replace(SMALL, assignment="cosine", patch_head=True, decoder_layers=0, input_norm=True)
MEANS = replace(OURS, segment_embedding="mean")
TOWER = replace(OURS, class_token=False, last_attention="own", patch_projection="linear")
POOLED = replace(OURS, last_attention="own", patch_projection="pooled")
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
    "config", [SMALL, OURS, MEANS, TOWER, POOLED, UNEVEN], ids=["paper", "ours", "means", "tower", "pooled", "uneven"]
)
def test_flops_are_those_that_torch_counts(config: StudentConfig, mask_ratio: float):
    assert count_flops(config, mask_ratio) == measured_flops(config, mask_ratio, images=3)


def test_flops_at_paper_size_are_those_that_torch_counts():
    assert count_flops(StudentConfig(), MASK_RATIO) == measured_flops(StudentConfig(), MASK_RATIO)


@pytest.mark.parametrize("config", [SMALL, OURS], ids=["paper", "ours"])
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


def hand_counts() -> dict[str, tuple[int, int]]:
    """The table of the hand count in docs/method.md: part -> (parameters, operations forward)."""
    rows = re.findall(r"^\| (\w+) \| ([\d,]+) \| ([\d,]+) \|$", _method(), re.M)
    return {part: (int(p.replace(",", "")), int(f.replace(",", ""))) for part, p, f in rows}


def _method() -> str:
    return METHOD.read_text(encoding="utf-8")


@pytest.mark.parametrize("part", [*PARTS, "total"])
def test_paper_size_is_the_hand_count(part: str):
    parameters, flops = hand_counts()[part]

    assert count_parameters(StudentConfig())[part] == parameters
    assert count_flops(StudentConfig(), MASK_RATIO)[part] == flops


def test_training_step_is_the_hand_count():
    written = re.search(r"Training step: 3 x [\d,]+ = ([\d,]+) FLOP an image", _method())

    assert written is not None
    assert training_flops(StudentConfig(), MASK_RATIO) == int(written[1].replace(",", ""))
