"""The central square of an image file: what students learn from, and what views are cut from."""

from __future__ import annotations

from pathlib import Path

import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from zeroseg.image_index import read_image_file
from zeroseg.images import load_image, resize, to_tensor


def square_of_file(path: Path, side: int, key: str | None = None) -> UInt8[Tensor, "3 side side"]:
    """`read_square` of a file. Raises `ImageError`, also if the key of the file is no longer `key`."""
    return read_square(read_image_file(path, key), side, repr(str(path)))


def read_square(data: bytes, side: int, name: str = "The given data") -> UInt8[Tensor, "3 side side"]:
    """The central square of an image file's content, resized to `side` pixels, 0..255.

    Raises `ImageError`; its sentence calls the file `name`.
    """
    image = center_square(load_image(data, name))
    pixels = to_tensor(image)
    if image.size == (side, side):
        return pixels
    return (resize(pixels, (side, side)) * 255).round().to(torch.uint8)


def read_own_square(data: bytes, most: int, name: str = "The given data") -> UInt8[Tensor, "3 _ _"]:
    """The central square of an image file's content at its own size, at most `most` pixels wide, 0..255.

    Raises `ImageError`; its sentence calls the file `name`.
    """
    square = center_square(load_image(data, name))
    if square.width <= most:
        return to_tensor(square)
    return (resize(to_tensor(square), (most, most)) * 255).round().to(torch.uint8)


def center_square(image: Image.Image) -> Image.Image:
    """Crop a picture to its largest centred square."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side))
