"""The cost of runs: operations of towers against torch's counter, sizes from folders, sums that add up."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from transformers import CLIPModel, SiglipModel

from tests.tiny import clip, clip_folder, locked_folder, siglip, siglip_folder
from zeroseg.recipes import RECIPES
from zeroseg.student.cost import training_flops
from zeroseg.teacher import Teacher
from zeroseg.training.costs import GPUS, KNOWN, UTILISATION, activation_bytes, run_cost, tower_sizes


@pytest.mark.parametrize("side", [32, 64])
def test_a_tower_has_the_operations_that_torch_counts(side: int, tmp_path: Path):
    sizes = tower_sizes(str(clip_folder(tmp_path)))
    assert sizes is not None
    pixels = torch.zeros(1, 3, side, side)
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        clip().get_image_features(pixel_values=pixels, interpolate_pos_encoding=True)
    assert sizes.flops(side) == pytest.approx(counter.get_total_flops(), rel=0.01)


def test_the_photo_teacher_has_the_operations_that_torch_counts():
    """Convolutions, with biases and padding, which the counter leaves out as well."""
    sizes, teacher = tower_sizes("photos"), Teacher.from_pretrained("photos")
    assert sizes is not None
    assert (sizes.image_size, sizes.embedding_width, sizes.form) == (teacher.size, teacher.width, "efficientnet_lite0")
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        teacher.embed_images(torch.zeros(1, 3, teacher.size, teacher.size))
    assert sizes.flops(teacher.size) == pytest.approx(counter.get_total_flops(), rel=0.01)
    assert sizes.flops(2 * teacher.size) == pytest.approx(4 * sizes.flops(teacher.size), rel=0.01)


def test_a_locked_vit_has_the_size_that_its_images_have(tmp_path: Path):
    sizes, teacher = tower_sizes(str(locked_folder(tmp_path, "vit"))), Teacher.from_pretrained(tmp_path)
    assert sizes is not None
    assert (sizes.image_size, sizes.embedding_width) == (teacher.size, teacher.width)


@pytest.mark.parametrize(
    "config", ['{"model_type": "clip", "vision_config": null}', '{"model_type": "clip"}', "[]", "{"]
)
def test_a_config_without_sizes_is_unknown(config: str, tmp_path: Path):
    (tmp_path / "config.json").write_text(config, encoding="utf-8")
    assert tower_sizes(str(tmp_path)) is None


def test_sizes_are_read_from_a_folder_of_either_family(tmp_path: Path):
    for name in ("clip", "siglip"):
        (tmp_path / name).mkdir()
    of_clip = tower_sizes(str(clip_folder(tmp_path / "clip")))
    of_siglip = tower_sizes(str(siglip_folder(tmp_path / "siglip")))
    assert of_clip is not None
    assert of_siglip is not None
    assert (of_clip.image_size, of_clip.patch_size, of_clip.embedding_width) == (32, 8, 16)
    assert (of_siglip.width, of_siglip.layers, of_siglip.embedding_width) == (32, 2, 32)
    assert isinstance(clip(), CLIPModel)
    assert isinstance(siglip(), SiglipModel)
    assert tower_sizes("bundled") is not None
    assert tower_sizes(str(tmp_path / "nothing")) is None


def test_a_view_of_clip_vit_b16_has_35_gflop():
    """The figure that papers give for ViT-B/16 at 224 pixels, 17.6 multiply-adds, each with its addition."""
    assert KNOWN["openai/clip-vit-base-patch16"].flops(224) == pytest.approx(2 * 17.58e9, rel=0.01)


def test_the_sums_of_a_run():
    config = RECIPES["photos_vitb16"]()
    teacher = KNOWN[config.student.teacher]
    cached, live = (run_cost(config, teacher, cached) for cached in (True, False))
    assert cached.student_flops == training_flops(config.student, 0.0, 2)
    assert cached.window_flops == 144 * teacher.flops(224)
    assert live.view_flops == 75 * teacher.flops(224)
    assert live.flops - cached.flops == pytest.approx(250_000 * live.view_flops)
    assert (cached.cache_bytes_an_image, live.cache_bytes_an_image) == (75 * 512 * 2, 0)
    assert GPUS[0].hours(GPUS[0].tflops * 1e12 * UTILISATION * 3600) == pytest.approx(1)
    alone = run_cost(config, None, cached=True)
    assert alone.window_flops == alone.view_flops == 0


def test_memory_grows_with_the_micro_batch_and_falls_with_dropped_patches():
    config = RECIPES["photos_vitb16"]()
    whole = run_cost(replace(config, loop=replace(config.loop, micro_batches=1)), None, cached=True)
    parts = run_cost(config, None, cached=True)
    assert whole.memory_bytes - parts.memory_bytes == 6 * activation_bytes(config.student, 0.0)
    assert activation_bytes(config.student, 0.5) == activation_bytes(config.student, 0.0) / 2
    assert parts.memory_bytes < 22e9  # one GPU of 24 GB
    decoder = replace(config.student, decoder_layers=2)
    assert activation_bytes(decoder, 0.0) > activation_bytes(config.student, 0.0)
