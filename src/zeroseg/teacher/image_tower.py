"""A vision model of `transformers` as a frozen image tower: what it makes of whole images, and of each position.

Letters: B image, P position, E width of the tower, H W pixels.
"""

from __future__ import annotations

import inspect
from typing import Any, cast

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor
from transformers import BaseImageProcessor, PreTrainedConfig, ViTImageProcessorPil

from zeroseg.errors import TeacherError

MODEL = Any  # the annotations of models in transformers are not correct


class ImageTower:
    """A vision model with a pooled output, for images of any size whose sides are multiples of its `stride`."""

    def __init__(self, model: MODEL) -> None:
        self.model: MODEL = model.to(memory_format=torch.channels_last)  # twice as fast on a CPU
        self.stride = stride_of(model.config)
        parameters = inspect.signature(model.forward).parameters
        self._any_size = {"interpolate_pos_encoding": True} if "interpolate_pos_encoding" in parameters else {}

    def run(self, pixels: Float[Tensor, "B 3 H W"]) -> Any:
        """The output of `transformers` for normalised pixels."""
        return self.model(pixel_values=pixels, **self._any_size)

    def pooled(self, pixels: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B E"]:
        """The pooled output for normalised pixels."""
        return self.run(pixels).pooler_output

    def positions(self, pixels: Float[Tensor, "B 3 H W"], grid: tuple[int, int]) -> Float[Tensor, "B P E"]:
        """Each position of the last layer, row by row, as if it were the pooled output, for normalised pixels.

        `grid`: the number of positions down and across.
        """
        tokens = self.run(pixels).last_hidden_state
        if tokens.ndim == 4:
            tokens = rearrange(tokens, "b e i j -> b (i j) e")
        tokens = tokens[:, -grid[0] * grid[1] :]  # class and register tokens are before the patches
        match self.model.config.model_type:
            case "vit" | "deit":
                return self.model.pooler.activation(self.model.pooler.dense(tokens))
            case "convnext" | "convnextv2":
                return self.model.layernorm(tokens)
            case _:
                return tokens


def stride_of(config: PreTrainedConfig) -> int:
    """Pixels between two positions of the last layer; hierarchical towers halve their map before each later stage.

    Raises `TeacherError` if the config does not say how large a patch is.
    """
    settings: dict[str, Any] = config.to_dict()
    patch = settings.get("patch_size")
    if not isinstance(patch, int):
        raise TeacherError(
            f"the image tower {settings.get('model_type')!r} has no patch size: name a tower such as ViT, DINOv2, "
            "ConvNeXt or EfficientNet-Lite."
        )
    return patch * 2 ** (len(settings.get("depths") or [1]) - 1)


def with_hidden_size(config: Any) -> Any:
    """The config of a tower, with `hidden_size` added where there are only `hidden_sizes` (ConvNeXt)."""
    sizes = config.to_dict().get("hidden_sizes")
    if sizes:
        config.hidden_size = sizes[-1]
    return config


def read_pixel_settings(name: str) -> tuple[list[float], list[float], int]:
    """Mean and standard deviation of pixels (0..1), and the side of images in pixels, from preprocessor_config.json.

    Where the processor crops the centre, the side is that of the crop. `name`: a folder or a hub name. Raises
    `TeacherError` if one of them is missing, and `OSError` if there is no such file.
    """
    values: dict[str, Any] = cast(Any, BaseImageProcessor).get_image_processor_dict(name)[0]
    size = values.get("crop_size") if values.get("do_center_crop") else None
    size = size or values.get("size")
    if isinstance(size, dict):
        size = size.get("height") or size.get("shortest_edge")
    mean, std = values.get("image_mean"), values.get("image_std")
    if not (isinstance(size, int) and isinstance(mean, list) and isinstance(std, list)):
        raise TeacherError(
            f"the preprocessor_config.json in {name!r} does not name image_mean, image_std and size: add them."
        )
    return mean, std, size


def image_processor(mean: list[float], std: list[float], size: int) -> Any:
    """The processor of `transformers` that does the same to images: resized to a square, normalised."""
    side = {"height": size, "width": size}
    return cast(Any, ViTImageProcessorPil)(size=side, resample=3, image_mean=mean, image_std=std)  # 3: bicubic
