"""Pictures without labels, as a student sees them: int8 takes the ranges of values from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from zeroseg.encoding import ImageEncoder
from zeroseg.images import borrow_image, resize_picture
from zeroseg.models import is_picturebook
from zeroseg.segmenter import working_size

PICTURES = Path(__file__).parents[1] / "pictures"


def bundled_pictures(model: str) -> Path:
    """The folder of the package with pictures like those that a model knows: photos, or scenes of the picturebook."""
    return PICTURES / ("picturebook" if is_picturebook(model) else "photos")


def pixels_of(paths: Sequence[Path], encoder: ImageEncoder) -> Iterator[Float[Tensor, "1 3 H W"]]:
    """One picture after the other, resized as for inference. Raises `ImageError` for one that cannot be read."""
    for path in paths:
        picture = borrow_image(path)
        size = working_size(picture.height, picture.width, encoder.shorter_side, encoder.multiple)
        yield resize_picture(picture, size)[None]
