"""Pixels as tensors.

Shapes: *B any leading dimensions, H, W height and width in pixels, h, w those of the result; channels are R, G, B.
"""

from __future__ import annotations

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor
from torch.nn import functional


def to_tensor(image: Image.Image) -> UInt8[Tensor, "3 H W"]:
    """Copy an RGB picture into a tensor of bytes, 0..255; raises `ValueError` for another mode."""
    if image.mode != "RGB":
        raise ValueError(f"expected an RGB picture, as load_image returns, not {image.mode!r}")
    return torch.from_numpy(rearrange(np.array(image), "H W C -> C H W")).contiguous()


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
