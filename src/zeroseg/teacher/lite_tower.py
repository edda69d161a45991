"""EfficientNet-Lite as a vision model of `transformers`, so that it can be an image tower like any other.

Letters: B image, P position, E width of the tower, H W pixels.
"""

from __future__ import annotations

from typing import Any, cast

from einops import rearrange
from jaxtyping import Float
from torch import Tensor
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPooling

from zeroseg.efficientnet_lite import LAST, EfficientNetLite
from zeroseg.errors import TeacherError

STRIDE = 32  # of the last feature map, pixels
VARIANTS = ("lite0", "lite1", "lite2")


class EfficientNetLiteConfig(PreTrainedConfig):
    """Which EfficientNet-Lite it is; `hidden_size` is the number of its last channels, `patch_size` its stride.

    Raises `TeacherError` for an unknown variant.
    """

    model_type = "efficientnet_lite"

    def __init__(self, variant: str = "lite0", **settings: Any) -> None:
        """`settings`: those that all configs of `transformers` have."""
        if variant not in VARIANTS:
            raise TeacherError(f"there is no EfficientNet-Lite {variant!r}: choose one of {', '.join(VARIANTS)}.")
        self.variant = variant
        cast(Any, super()).__init__(**{"hidden_size": LAST, "patch_size": STRIDE} | settings)


class EfficientNetLiteModel(PreTrainedModel):
    """The convolutional part of an EfficientNet-Lite; pooled is the mean over all positions, without a classifier."""

    config_class = EfficientNetLiteConfig
    main_input_name = "pixel_values"
    _supports_sdpa = True  # it has no attention, so any kind is right

    def __init__(self, config: EfficientNetLiteConfig) -> None:
        super().__init__(config)
        self.tower = EfficientNetLite(config.variant)
        self.post_init()

    def forward(self, pixel_values: Float[Tensor, "B 3 H W"], **_: Any) -> BaseModelOutputWithPooling:
        """The last feature map as tokens, row by row (B P E), and their mean (B E).

        `pixel_values`: normalised, see `zeroseg.efficientnet_lite`.
        """
        features = self.tower(pixel_values)[1]
        pooled: Float[Tensor, "B E"] = features.float().mean(dim=(2, 3)).to(features.dtype)
        tokens: Float[Tensor, "B P E"] = rearrange(features, "b e i j -> b (i j) e")
        return BaseModelOutputWithPooling(last_hidden_state=cast(Any, tokens), pooler_output=cast(Any, pooled))


AutoConfig.register(EfficientNetLiteConfig.model_type, EfficientNetLiteConfig)
AutoModel.register(EfficientNetLiteConfig, EfficientNetLiteModel)
