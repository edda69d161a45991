"""EfficientNet-Lite (Tan and Le 2019; the Lite variants: TensorFlow, 2020): a small convolutional tower for CPUs.

Lite leaves out squeeze-and-excitation and has ReLU6 for swish. Batch norms are folded into the convolutions: the
tower is used as it was pretrained, or fine-tuned with fixed statistics. Pixels are RGB of about -1 .. 1:
`(x - 127) / 128` for x of 0 .. 255. Padding is TensorFlow's "same": where a total is odd, the right and lower edges
get one pixel more.

Letters: B image, C channel, H W pixels, h w positions.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

MEAN, STD = (127 / 255,) * 3, (128 / 255,) * 3  # of pixels of 0 .. 1
STEM, FINE, LAST = 32, 112, 1280  # channels: of the first layer, at stride 16 (Lite0), of the last layer
EPSILON = 1e-3  # of the folded batch norms
STAGES = (  # repeats, kernel, stride, expansion, channels
    (1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)  # fmt: skip
WIDTH_DEPTH = {"lite0": (1.0, 1.0), "lite1": (1.0, 1.1), "lite2": (1.1, 1.2)}


class SameConv2d(nn.Conv2d):
    """A convolution with a bias and TensorFlow's "same" padding. Its stride is at most its kernel's size."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride, kernel // 2 if stride == 1 else 0, groups=groups)

    def forward(self, input: Float[Tensor, "B C H W"]) -> Float[Tensor, "B E h w"]:
        """The convolution; h and w are H and W divided by the stride, rounded up."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        if stride > 1:
            # in whole numbers and without max(), so that an export follows it: the output has ceil(n / stride)
            down, across = (((n + stride - 1) // stride - 1) * stride + kernel - n for n in input.shape[-2:])
            input = F.pad(input, (across // 2, across - across // 2, down // 2, down - down // 2))
        return super().forward(input)


class Block(nn.Module):
    """An inverted residual (MobileNetV2): 1 x 1 expansion, depthwise convolution, 1 x 1 projection."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.expand = SameConv2d(inputs, hidden, 1) if expansion > 1 else None
        self.depthwise = SameConv2d(hidden, hidden, kernel, stride, groups=hidden)
        self.project = SameConv2d(hidden, outputs, 1)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B E h w"]:
        """The block, with a residual connection where input and output have one shape."""
        y = x if self.expand is None else F.relu6(self.expand(x))
        y = self.project(F.relu6(self.depthwise(y)))
        return x + y if self.residual else y


class EfficientNetLite(nn.Module):
    """The convolutional part of a network: the classifier is not in it."""

    def __init__(self, variant: str = "lite0") -> None:
        super().__init__()
        wider, deeper = WIDTH_DEPTH[variant]
        self.stem = SameConv2d(3, STEM, 3, 2)
        blocks, channels, stride = list[Block](), STEM, 2
        for number, (repeats, kernel, step, expansion, outputs) in enumerate(STAGES):
            fixed = number in (0, len(STAGES) - 1)  # Lite does not repeat the first and last stage more often
            outputs = round_channels(outputs * wider)
            for repeat in range(repeats if fixed else ceil(repeats * deeper)):
                first_stride = step if repeat == 0 else 1
                if first_stride == 2 and stride == 16:
                    self.fine, self.fine_channels = len(blocks), channels
                stride *= first_stride
                blocks.append(Block(channels, outputs, kernel, first_stride, expansion))
                channels = outputs
        self.blocks = nn.ModuleList(blocks)
        self.last = SameConv2d(channels, LAST, 1)

    def forward(self, pixels: Float[Tensor, "B 3 H W"]) -> tuple[Float[Tensor, "B F h w"], Float[Tensor, "B L i j"]]:
        """Feature maps: at stride 16, before the last stages, and the last ones at stride 32."""
        x, fine = F.relu6(self.stem(pixels.contiguous(memory_format=torch.channels_last))), None
        for number, block in enumerate(self.blocks):
            if number == self.fine:
                fine = x
            x = block(x)
        assert fine is not None
        return fine, F.relu6(self.last(x))


def round_channels(channels: float) -> int:
    """The nearest multiple of 8 that is not more than 10 % smaller (EfficientNet's rule)."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * channels else rounded + 8


def folded(saved: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a tower from a state dict in the format of `efficientnet-lite-pytorch`, batch norms folded in."""

    def one(convolution: str, norm: str) -> tuple[Tensor, Tensor]:
        scale = saved[f"{norm}.weight"] / (saved[f"{norm}.running_var"] + EPSILON).sqrt()
        bias = saved[f"{norm}.bias"] - saved[f"{norm}.running_mean"] * scale
        return saved[f"{convolution}.weight"] * scale[:, None, None, None], bias

    names = {"stem": ("_conv_stem", "_bn0"), "last": ("_conv_head", "_bn1")}
    parts = {
        "expand": ("_expand_conv", "_bn0"),
        "depthwise": ("_depthwise_conv", "_bn1"),
        "project": ("_project_conv", "_bn2"),
    }
    for number in range(1 + max(int(name.split(".")[1]) for name in saved if name.startswith("_blocks."))):
        for part, (convolution, norm) in parts.items():
            if f"_blocks.{number}.{convolution}.weight" in saved:
                names[f"blocks.{number}.{part}"] = (f"_blocks.{number}.{convolution}", f"_blocks.{number}.{norm}")
    tensors: dict[str, Tensor] = {}
    for name, (convolution, norm) in names.items():
        tensors[f"{name}.weight"], tensors[f"{name}.bias"] = one(convolution, norm)
    return tensors
