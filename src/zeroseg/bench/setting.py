"""What the parts measure with: networks, photos, a folder for files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from zeroseg.encoding import StudentEncoder
from zeroseg.images import load_image, to_tensor
from zeroseg.recipes import photos_vitb16
from zeroseg.segmenter import Segmenter
from zeroseg.student import Student
from zeroseg.teacher import ClipTeacher, Teacher

PHOTO = "dog.jpg"
RANDOM = "vitb16"  # a student of ViT-B/16 with random weights: weights do not change how fast it is
MODELS = ("photos", RANDOM)
PHOTOS = Path(__file__).parents[1] / "pictures" / "photos"


@dataclass(frozen=True)
class Setting:
    """What is measured, and on what.

    `models`: bundled students, folders, hub names, or `vitb16`. `side`: of the photo, the shorter one, pixels.
    `device`: by default CUDA if there is one. `folder`: for files that are written. `count`: photos in a folder.
    `seconds`: after which a pair has no further rounds, but three. `say`: is told what is left out, a sentence.
    """

    folder: Path
    models: tuple[str, ...] = MODELS
    side: int = 448
    rounds: int = 9
    device: str = ""
    count: int = 32
    seconds: float = 15.0
    say: Callable[[str], None] = print
    _segmenters: dict[str, Segmenter] = field(default_factory=dict[str, Segmenter], compare=False)

    @property
    def on(self) -> torch.device:
        """The device."""
        return torch.device(self.device or ("cuda" if torch.cuda.is_available() else "cpu"))

    @cached_property
    def photo(self) -> Image.Image:
        """A bundled photo with the shorter side that is set."""
        return _scaled(load_image(PHOTOS / PHOTO), self.side)

    @cached_property
    def folder_of_photos(self) -> Path:
        """A folder of `count` photos, each another file, made of the bundled ones."""
        folder = self.folder / "photos"
        folder.mkdir(parents=True, exist_ok=True)
        every = sorted(PHOTOS.glob("*.jpg"))
        for number in range(self.count):
            picture = _scaled(load_image(every[number % len(every)]), self.side)
            picture.putpixel((0, 0), (number % 256, number // 256, 0))
            picture.save(folder / f"{number:04d}.jpg", quality=95)
        return folder

    def segmenter(self, model: str) -> Segmenter:
        """The segmenter of a model."""
        if model not in self._segmenters:
            self._segmenters[model] = (
                random_vitb16(self.on) if model == RANDOM else Segmenter.from_pretrained(model, device=str(self.on))
            )
        return self._segmenters[model]

    def teacher(self, model: str) -> Teacher:
        """The teacher of a model."""
        return self.segmenter(model).whole_teacher


def random_vitb16(device: torch.device) -> Segmenter:
    """A student of ViT-B/16 at 448 pixels with random weights, and the text tower of the bundled teacher of photos."""
    teacher = Teacher.from_pretrained("photos").to(device)
    config = replace(
        photos_vitb16().student, embedding_width=teacher.width, patch_projection="mlp", last_attention="all",
        teacher="photos", inference_size=448,
    )  # fmt: skip
    torch.manual_seed(0)
    return Segmenter(StudentEncoder(Student(config).to(device).eval()), teacher, config.read_out)


def random_clip(device: torch.device, width: int = 512) -> Teacher:
    """A CLIP ViT-B/16 with random weights, and hardly a text tower: no text is embedded."""
    from transformers import CLIPConfig, CLIPModel, CLIPTokenizer

    config = cast(Any, CLIPConfig)(
        vision_config={"patch_size": 16}, text_config={"num_hidden_layers": 1}, projection_dim=width
    )
    return ClipTeacher(cast(Any, CLIPModel)(config), CLIPTokenizer(), [0.5] * 3, [0.25] * 3).to(device)


def words(count: int) -> list[str]:
    """So many labels that a teacher of photos knows."""
    from zeroseg.training.imagenet_words import class_names

    return list(class_names())[:count]


def crops(count: int, side: int, device: torch.device) -> Float[Tensor, "B 3 side side"]:
    """Random pixels."""
    pixels = np.random.default_rng(0).random((count, 3, side, side), dtype=np.float32)
    return torch.from_numpy(pixels).to(device)


def pixels_of(photo: Image.Image, size: tuple[int, int], device: torch.device) -> Float[Tensor, "1 3 H W"]:
    """A photo in memory as the encoder sees it."""
    height, width = size
    resized = photo.resize((width, height))
    return (to_tensor(resized)[None].float() / 255).to(device)


def _scaled(picture: Image.Image, side: int) -> Image.Image:
    scale = side / min(picture.size)
    return picture.resize((round(picture.width * scale), round(picture.height * scale)))
