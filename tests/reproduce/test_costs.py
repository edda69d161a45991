"""What runs take: the teacher's operations as they are counted while it runs, budgets worked out by hand."""

from dataclasses import replace

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from transformers import CLIPConfig

from tests.tiny import STUDENT, VIEWS, clip
from zeroseg.recipes import imagenet_vitb16
from zeroseg.reproduce import PICTUREBOOK
from zeroseg.reproduce.costs import (
    CLIP_VIT_L14,
    TeacherSizes,
    budget,
    caption_flops,
    run_budgets,
    step_flops,
    view_flops,
)  # fmt: skip
from zeroseg.student.cost import training_flops
from zeroseg.training.distillation import DistillConfig
from zeroseg.training.loop import LoopConfig
from zeroseg.training.optimiser import OptimiserConfig

SIZES = TeacherSizes.of(clip().config)


def counted(call, *arguments: object) -> int:
    with torch.inference_mode(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        call(*arguments)
    return counter.get_total_flops()


def test_a_view_costs_what_the_teacher_does_for_it():
    model = clip().eval()
    view = torch.zeros(1, 3, SIZES.image_size, SIZES.image_size)
    assert view_flops(SIZES) == pytest.approx(counted(lambda: model.get_image_features(pixel_values=view)), rel=0.01)


def test_a_caption_costs_what_the_text_encoder_does_for_it():
    model = clip().eval()
    tokens = torch.ones(1, SIZES.text_tokens, dtype=torch.long)
    assert caption_flops(SIZES) == pytest.approx(counted(lambda: model.get_text_features(input_ids=tokens)), rel=0.01)


def test_the_papers_run_takes_its_hours_at_31_teraflops():
    """92.35 GFLOP for each of 25,022 x 4,096 images; 30 views of 1.28 million images at 162 GFLOP."""
    found = budget(imagenet_vitb16(), 1_281_167, CLIP_VIT_L14)
    assert found.hours(31.0) == pytest.approx(84.8, abs=0.1)
    assert found.cache_flops == pytest.approx(30 * 1_281_167 * 162.03e9, rel=1e-3)
    assert found.cache_bytes == 1_281_167 * 30 * 768 * 2
    assert found.student_bytes == 2 * 192_068_016
    assert found.checkpoint_bytes == 12 * 192_068_016  # weights and two moments of AdamW
    by_captions = budget(imagenet_vitb16(), 1_281_167, CLIP_VIT_L14, captions=1)
    assert by_captions.student_bytes == 2 * (192_068_016 + 427_616_513)  # a CLIP learns with it, and is kept


def test_the_papers_teacher_has_its_known_size():
    vision = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16}
    text = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12}
    config = CLIPConfig(
        vision_config={**vision, "image_size": 224, "patch_size": 14}, text_config=text, projection_dim=768
    )
    assert TeacherSizes.of(config) == CLIP_VIT_L14
    assert SIZES.parameters == sum(parameter.numel() for parameter in clip().parameters())


def test_muon_keeps_one_moment():
    config = DistillConfig(student=STUDENT, views=VIEWS)
    adamw = budget(config, 4, SIZES)
    muon = budget(replace(config, loop=replace(config.loop, optimiser=OptimiserConfig("muon"))), 4, SIZES)
    assert muon.checkpoint_bytes / adamw.checkpoint_bytes == 2 / 3


def test_a_budget_by_hand():
    config = DistillConfig(student=STUDENT, views=VIEWS, loop=LoopConfig(steps=10, batch_size=4), first_images=6)
    found = budget(config, 100, SIZES)
    assert (found.images, found.samples, found.views) == (6, 40, len(VIEWS.boxes()))
    assert found.training_flops == 40 * training_flops(STUDENT, config.mask_ratio)
    assert found.cache_flops == 6 * len(VIEWS.boxes()) * view_flops(SIZES)
    by_captions = budget(replace(config, mask_ratio=0.0), 4, SIZES, captions=2)
    assert (by_captions.images, by_captions.views, by_captions.cache_bytes) == (4, 0, 0)
    assert by_captions.training_flops == 40 * (training_flops(STUDENT, 0.0) + 6 * caption_flops(SIZES))
    assert step_flops(replace(config, mask_ratio=0.0), 2, SIZES) == training_flops(STUDENT, 0.0) + 6 * caption_flops(
        SIZES
    )


def test_budgets_are_of_rows_that_train():
    found = run_budgets(PICTUREBOOK.rows, ["ours", "naclip", "captions"], 7168, PICTUREBOOK.teacher, steps=50)
    assert list(found) == ["ours", "captions"]
    assert found["ours"].steps == 50
    assert found["captions"].training_flops > found["ours"].training_flops
