"""A convolutional encoder for CPUs and phones: EfficientNet-Lite0, with tokens at stride 16.

Letters: B image, P token, K kept token, D width, F channels at stride 16, L channels at stride 32, H W pixels,
h w tokens down and across.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

from zeroseg.efficientnet_lite import FINE, LAST, MEAN, STD, EfficientNetLite, SameConv2d
from zeroseg.precision import mixed_precision
from zeroseg.student.config import StudentConfig
from zeroseg.student.encoder import PatchEncoder, gather, train_last

FINE_SCALE = 1 / 8  # brings the features at stride 16 (root mean square 6.6 on photos) to the size of the last (0.8)


class ConvolutionalEncoder(PatchEncoder):
    """EfficientNet-Lite0; a token has the features at stride 16 and the upsampled last ones, projected to the width.

    It has no class token and no learned positions, so the size of training and that of inference are free. The
    projections and the norm are new; the tower is what a teacher has pretrained.
    """

    def __init__(self, config: StudentConfig) -> None:
        super().__init__()
        self.tower = EfficientNetLite("lite0")
        self.from_fine, self.from_last = nn.Linear(FINE, config.width), nn.Linear(LAST, config.width)
        self.norm = nn.LayerNorm(config.width)
        self.tower.apply(_initialise)

    def normalise(self, images: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B 3 H W"]:
        """Scale values 0..1 as in the tower's pretraining, to about -1..1."""
        mean, std = (torch.tensor(values, device=images.device).view(3, 1, 1) for values in (MEAN, STD))
        return (images - mean) / std

    def forward(
        self, images: Float[Tensor, "B 3 H W"], keep: Int[Tensor, "B K"] | None = None
    ) -> Float[Tensor, "B P D"]:
        """Tokens of the kept places (of all places without `keep`), row by row, from normalised pixels.

        H and W are multiples of 16. In training the precision is that of the loop; at inference it is mixed.
        """
        device = images.device
        with mixed_precision(device, not self.training or torch.is_autocast_enabled(device.type)):
            fine, last = self.tower(images)
            # a projection can go before the upsampling, which is linear too: a quarter of the positions
            coarse = self.from_last(last.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
            x = self.from_fine(FINE_SCALE * fine.permute(0, 2, 3, 1))
            x = x + F.interpolate(coarse, size=x.shape[1:3], mode="bilinear").permute(0, 2, 3, 1)
        x = rearrange(x, "b h w d -> b (h w) d").float()
        return self.norm(x if keep is None else gather(x, keep))

    def pretrained(self) -> dict[str, nn.Parameter]:
        """The weights of the convolutions. Projections and norm are the student's own."""
        return {f"tower.{name}": weight for name, weight in self.tower.named_parameters()}

    def from_tower(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """An `EfficientNetLite`'s tensors under the names of this encoder."""
        return {f"tower.{name}": tensor for name, tensor in tensors.items()}

    def train_last(self, blocks: int) -> None:
        """Freeze the tower but for its last blocks and its last convolution (see `PatchEncoder`)."""
        train_last(self.tower, self.tower.blocks, blocks, self.tower.last)


def _initialise(module: nn.Module) -> None:
    """Kaiming's normal weights, zero biases: without batch norms, torch's smaller ones would let the signal vanish."""
    if isinstance(module, SameConv2d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        assert module.bias is not None
        nn.init.zeros_(module.bias)
