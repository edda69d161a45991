"""The cost of a student: its parameters and its floating-point operations, part by part.

Operations count as 2 for every multiplication with its addition, and only where they grow with the product of
two sizes: linear layers, convolutions, attention, assignment. Norms, activations, softmax and the losses are a
few per cent more. `docs/method.md` does the same sums by hand for the paper's sizes.

Letters: N token, D width.
"""

from __future__ import annotations

from math import ceil

import torch

from zeroseg.efficientnet_lite import FINE, LAST, EfficientNetLite, SameConv2d
from zeroseg.student.config import StudentConfig
from zeroseg.student.encoder import random_keep
from zeroseg.student.model import Student

PARTS = ("encoder", "layers", "groupings", "projections", "decoder")
BACKWARD = 2  # a backward pass costs two forward passes: gradients of the inputs and of the weights


def count_parameters(config: StudentConfig) -> dict[str, int]:
    """The number of parameters of each part, and "total". The student is built without memory, so any size works.

    "layers" are the transformer layers of the segmentation head. "projections" are all layers from its tokens to the
    teacher's space: segment, global (with its layer) and, if there is one, patch projection.
    """
    with torch.device("meta"):
        student = Student(config)
    counts = dict.fromkeys(PARTS, 0)
    for name, parameter in student.named_parameters():
        part = name.split(".")[0]
        counts[part if part in PARTS else "projections"] += parameter.numel()
    return counts | {"total": sum(counts.values())}


def count_flops(config: StudentConfig, mask_ratio: float) -> dict[str, float]:
    """Operations of one forward pass for one image of the training size, for each part, and "total".

    `mask_ratio`: the fraction of the patches that is dropped, 0..1. The decoder is counted if there is one; inference,
    with `mask_ratio` 0, does not use it.
    """
    patches, width, out = config.grid**2, config.width, config.embedding_width
    kept = _kept(config, mask_ratio)
    first, second = config.grouping_after
    segments, last = config.segment_tokens
    groups, last_groups = (0, 0) if config.grouping == "light" else config.segment_tokens  # that travel
    are_means = config.segment_embedding == "mean"
    projections = (0 if are_means else _mlp(last, width, out)) + _block(last, width) + _mlp(1, width, out)
    if config.patch_head:
        of_patches = {"mlp": _mlp(kept, width, out), "linear": _linear(kept, width, out)}
        of_patches["pooled"] = of_patches["linear"] + _mlp(kept, out, out)
        projections += of_patches[config.patch_projection] + _linear(kept, width, 1)
    counts = {
        "encoder": sum(_encoder(config, kept)),
        "layers": first * _block(kept + groups, width)
        + (second - first) * _block(segments + last_groups, width)
        + (config.head_layers - second) * _block(last, width),
        "groupings": _grouping(kept, segments, width)
        + _grouping(segments, last, width)
        + _mixer(groups, groups, width)
        + _mixer(groups, last_groups, width)
        + _mixer(last_groups, last_groups, width)
        + _product(last, segments, kept)  # both stages' assignments, composed
        + (_product(last, kept, out) if are_means else 0),
        "projections": projections,
        "decoder": _decoder(config, patches, kept) if config.decoder_layers else 0,
    }
    return {part: float(count) for part, count in counts.items()} | {"total": float(sum(counts.values()))}


def training_flops(config: StudentConfig, mask_ratio: float, trainable_blocks: int | None = None) -> float:
    """Operations of one training step for one image: the forward pass and a backward pass of twice its cost.

    There is no backward pass through what is frozen: the encoder but for its last `trainable_blocks` (None: nothing).
    """
    blocks = config.encoder_blocks
    frozen = 0 if trainable_blocks in (None, blocks) else 1 + blocks - trainable_blocks
    if trainable_blocks == 0:
        frozen += 1  # with what follows the blocks
    total = count_flops(config, mask_ratio)["total"]
    return (1 + BACKWARD) * total - BACKWARD * sum(_encoder(config, _kept(config, mask_ratio))[:frozen])


def transformer_flops(tokens: int, width: int, layers: int) -> float:
    """Operations of so many transformer layers over some tokens."""
    return float(layers * _block(tokens, width))


def convolutional_flops(side: int, variant: str) -> float:
    """Operations of an EfficientNet-Lite ("lite0", "lite1", "lite2") on side x side pixels, without its classifier."""
    return float(sum(_convolutions(side, variant)[0]))


def _product(rows: int, inner: int, columns: int) -> int:
    """A matrix product: rows x inner by inner x columns."""
    return 2 * rows * inner * columns


def _linear(tokens: int, width: int, out: int) -> int:
    """A linear layer on every token; a convolution without overlap is a linear layer on the patches."""
    return _product(tokens, width, out)


def _attention(queries: int, tokens: int, width: int) -> int:
    """Queries and outputs, keys and values; then queries by keys and weights by values, over all heads."""
    linear = 2 * _linear(queries, width, width) + 2 * _linear(tokens, width, width)
    return linear + 2 * _product(queries, width, tokens)


def _mlp(tokens: int, width: int, out: int) -> int:
    """Two layers, four times as wide in between."""
    return _linear(tokens, width, 4 * width) + _linear(tokens, 4 * width, out)


def _block(tokens: int, width: int) -> int:
    """A transformer layer: 24 N D^2 + 4 N^2 D."""
    return _attention(tokens, tokens, width) + _mlp(tokens, width, width)


def _grouping(tokens: int, segments: int, width: int) -> int:
    """A grouping block without mixers: segment tokens attend to tokens, these are assigned, their values gathered."""
    gather = _attention(segments, tokens, width) + _mlp(segments, width, width)
    assign = _linear(segments, width, width) + _linear(tokens, width, width) + _product(segments, width, tokens)
    mean = _linear(tokens, width, width) + _product(segments, tokens, width) + _linear(segments, width, width)
    return gather + assign + mean + _mlp(segments, width, width)


def _mixer(tokens: int, out: int, width: int) -> int:
    """Every channel's `tokens` values to half the width and then to `out` values."""
    hidden = width // 2
    return _linear(width, tokens, hidden) + _linear(width, hidden, out) if tokens else 0


def _kept(config: StudentConfig, mask_ratio: float) -> int:
    """The patches that are not dropped."""
    return random_keep(1, config.grid**2, mask_ratio, torch.Generator()).shape[1]


def _encoder(config: StudentConfig, kept: int) -> list[int]:
    """What precedes the encoder's blocks, each block, what follows them, and what a teacher's tower does not have."""
    patches = config.grid**2
    if config.encoder == "efficientnet_lite0":
        convolutions, last = _convolutions(config.image_size, "lite0")
        # every place is projected, then some are dropped; the last features are projected before they are upsampled
        return [*convolutions, _linear(patches, FINE, config.width) + _linear(last, LAST, config.width)]
    # every patch is embedded, then some are dropped; the class token joins the others
    tokens = kept + config.class_token
    blocks = [_block(tokens, config.width)] * config.layers
    if config.last_attention == "own":  # without queries and keys
        blocks[-1] = 2 * _linear(tokens, config.width, config.width) + _mlp(tokens, config.width, config.width)
    return [_linear(patches, 3 * config.patch_size**2, config.width), *blocks, 0, 0]


def _convolutions(side: int, variant: str) -> tuple[list[int], int]:
    """First layer, blocks and last layer of an EfficientNet-Lite on side x side pixels, and its last positions."""
    with torch.device("meta"):
        tower = EfficientNetLite(variant)
    steps = list[int]()
    for part in (tower.stem, *tower.blocks, tower.last):
        steps.append(0)
        for layer in part.modules():
            if isinstance(layer, SameConv2d):
                side = ceil(side / layer.stride[0])
                steps[-1] += _product(side**2, layer.weight[0].numel(), layer.out_channels)
    return steps, side**2


def _decoder(config: StudentConfig, patches: int, kept: int) -> int:
    """The projection of the kept tokens to the decoder's width, the layers on all patches, and their pixels."""
    width, pixels = config.decoder_width, 3 * config.patch_size**2
    blocks = config.decoder_layers * _block(patches, width)
    return _linear(kept, config.width, width) + blocks + _linear(patches, width, pixels)
