"""A teacher's vision tower as initial weights of a student."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor


@dataclass(frozen=True)
class VisionTower:
    """All layers of a teacher's vision tower, under the names of a student's encoder of the same form.

    "vit": the names of `zeroseg.student.encoder.Encoder`. "efficientnet_lite0": those of
    `zeroseg.efficientnet_lite.EfficientNetLite`, whose activation is always ReLU6. What follows `form` is for "vit".
    `projection` takes a token to the shared space: under the names of a student's patch projection whose form is
    `projection_form`.
    """

    tensors: Mapping[str, Tensor]
    activation: str
    form: str = "vit"
    layers: int = 0
    norm_epsilon: float = 1e-5
    projection_form: Literal["linear", "pooled"] = "linear"
    projection: Mapping[str, Tensor] = field(default_factory=dict[str, Tensor])


def layer_tensors(vision: Mapping[str, Tensor], layers: int) -> dict[str, Tensor]:
    """The first `layers` layers of a vision tower of `transformers`, under the names of a student's encoder."""
    names = {
        "layer_norm1": "norm1", "layer_norm2": "norm2", "mlp.fc1": "mlp.first", "mlp.fc2": "mlp.second",
        "self_attn.q_proj": "attention.query", "self_attn.k_proj": "attention.key",
        "self_attn.v_proj": "attention.value", "self_attn.out_proj": "attention.out",
    }  # fmt: skip
    return {
        f"blocks.{number}.{student}.{part}": vision[f"encoder.layers.{number}.{name}.{part}"]
        for number in range(layers)
        for name, student in names.items()
        for part in ("weight", "bias")
    }
