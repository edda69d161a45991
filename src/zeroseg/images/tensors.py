"""Pixels as tensors.

Shapes: *B any leading dimensions, H, W height and width in pixels, h, w those of the result; channels are R, G, B.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor
from torch.nn import functional

WHOLE = 1 << 25  # pixels of the largest picture that is resized as a whole
TILE = 1 << 22  # pixels of a tile of a larger one
TILE_WIDTH = 1 << 11  # at most, pixels


def to_tensor(image: Image.Image) -> UInt8[Tensor, "3 H W"]:
    """Copy an RGB picture into a tensor of bytes, 0..255; raises `ValueError` for another mode."""
    if image.mode != "RGB":
        raise ValueError(f"expected an RGB picture, as load_image returns, not {image.mode!r}")
    return torch.from_numpy(np.array(rearrange(np.asarray(image), "H W C -> C H W"), order="C"))


def to_pil(pixels: UInt8[Tensor, "3 H W"] | Float[Tensor, "3 H W"]) -> Image.Image:
    """Convert a tensor, bytes 0..255 or floats 0..1 (clamped, rounded), to an RGB picture."""
    if pixels.is_floating_point():
        pixels = (pixels.detach().float().clamp(0, 1) * 255).round().to(torch.uint8)
    return Image.fromarray(rearrange(pixels.cpu().numpy(), "C H W -> H W C").copy())


def resize(
    images: UInt8[Tensor, "*B 3 H W"] | Float[Tensor, "*B 3 H W"], size: tuple[int, int]
) -> Float[Tensor, "*B 3 h w"]:
    """Resize to `size` = (height, width), antialiased bicubic, clamped to 0..1.

    Bytes 0..255 come out as float32 in 0..1; floats are taken to be in 0..1 and keep their type.
    """
    pixels = images if images.is_floating_point() else images.float() / 255
    if pixels.shape[-2:] == size:
        return pixels.clamp(0, 1)
    flat = pixels.reshape(-1, *pixels.shape[-3:])
    resized = functional.interpolate(flat, size, mode="bicubic", antialias=True).clamp(0, 1)
    return resized.reshape(*pixels.shape[:-2], *size)


def resize_picture(image: Image.Image, size: tuple[int, int]) -> Float[Tensor, "3 h w"]:
    """An RGB picture as `resize(to_tensor(image), size)` has it, but without a copy of it if it is large.

    With more than `WHOLE` pixels it is resized tile by tile: bicubic interpolation is linear and separable, so a tile
    adds its part to the result. The sums have another order, so values differ by rounding (float32).
    """
    width, height = image.size
    if width * height <= WHOLE:
        return resize(to_tensor(image), size)
    columns = min(width, TILE_WIDTH)
    rows = max(1, TILE // columns)
    total = torch.zeros(3, *size)
    down_sum, across_sum = torch.zeros(size[0], 1), torch.zeros(size[1])
    for top in range(0, height, rows):
        bottom = min(height, top + rows)
        ys, down = _bicubic(height, size[0], top, bottom)
        down_sum[ys] += down.sum(dim=1, keepdim=True)
        for left in range(0, width, columns):
            right = min(width, left + columns)
            xs, across = _bicubic(width, size[1], left, right)
            if top == 0:
                across_sum[xs] += across.sum(dim=1)
            tile = to_tensor(image.crop((left, top, right, bottom))).float() / 255
            total[:, ys, xs] += down @ tile @ across.T
    return (total / (down_sum * across_sum)).clamp(0, 1)


def _bicubic(pixels: int, cells: int, start: int, stop: int) -> tuple[slice, Float[Tensor, "cells pixels"]]:
    """Weights of pixels `start` to `stop`, of `pixels`, in those of the `cells` results that they are part of.

    The kernel is that of Pillow and of torch with antialiasing (Keys 1981, a = -1/2), as wide as a result, and at least
    as wide as a pixel. The weights of a result, over all its pixels, do not sum to 1 yet.
    """
    scale = pixels / cells
    stretch = max(scale, 1.0)
    first = max(0, math.floor((start - 2 * stretch) / scale - 0.5))
    last = min(cells, math.ceil((stop + 2 * stretch) / scale + 0.5))
    centres = (torch.arange(first, last, dtype=torch.float64) + 0.5) * scale
    places = torch.arange(start, stop, dtype=torch.float64) + 0.5
    far = (places - centres[:, None]).abs() / stretch
    near = (1.5 * far - 2.5) * far * far + 1
    outer = ((-0.5 * far + 2.5) * far - 4) * far + 2
    weights = torch.where(far < 1, near, torch.where(far < 2, outer, 0.0))
    return slice(first, last), weights.float()
