"""Another encoder, with pictures of another size."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from zeroseg.encoding import Encoded, ImageEncoder, Size


class Resized:
    """Another encoder, for which pictures are resized to another shorter side, pixels. An `ImageEncoder`."""

    def __init__(self, encoder: ImageEncoder, shorter_side: int) -> None:
        self.encoder, self.shorter_side, self.multiple = encoder, shorter_side, encoder.multiple

    def encode(self, pixels: Float[Tensor, "B 3 H W"], sizes: Sequence[Size]) -> list[Encoded]:
        """The regions of each picture (see `ImageEncoder`)."""
        return self.encoder.encode(pixels, sizes)
