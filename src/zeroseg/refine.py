"""Refinement: score maps of a coarse grid follow the edges of the picture.

PAMR, pixel-adaptive mask refinement (Araslanov & Roth 2020, "Single-stage semantic segmentation from image labels",
section 3.3): in every iteration, a pixel takes the weighted mean of pixels around it, at several distances; similar
colours have larger weights. It has no learned parameters and uses neither words nor networks.

Letters: M map, N neighbour, h w grid cells, H W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Float32
from torch import Tensor

DILATIONS = (1, 2, 4, 8, 12, 24)  # distances of the eight neighbours of each ring, pixels: the authors' values
SPREAD = 0.1  # of colour differences, in local standard deviations: the authors' value
TINY = 1e-8  # added to deviations: in flat areas all neighbours have the same weight


def refine(
    maps: Float[Tensor, "M h w"], pixels: Float[Tensor, "3 H W"], iterations: int, dilations: Sequence[int] = DILATIONS
) -> Float[Tensor, "M H W"]:
    """`maps`, interpolated to the size of the picture (`pixels`, values 0..1) and refined by it.

    `dilations`: distances of the rings of neighbours, pixels. An iteration is linear and its weights sum to 1: a
    constant map stays constant, and no value leaves the range of its map. Beyond the edges, the picture and the maps
    repeat their edge pixels.
    """
    weights = affinities(pixels, dilations)
    maps = F.interpolate(maps[None].float(), size=pixels.shape[1:], mode="bilinear", align_corners=False)[0]
    for _ in range(iterations):
        refined = torch.zeros_like(maps)
        for weight, neighbour in zip(weights, _neighbours(maps, dilations), strict=True):
            refined.addcmul_(neighbour, weight)
        maps = refined
    return maps


@torch.no_grad()
def affinities(pixels: Float[Tensor, "3 H W"], dilations: Sequence[int] = DILATIONS) -> Float32[Tensor, "N H W"]:
    """The weight of each neighbour for each pixel: a softmax over all neighbours, so the weights sum to 1.

    A pixel's deviation is that of the 3 x 3 colours of all rings together, in which its own is counted once a ring. So
    the authors' code has it. Neighbours are visited one after the other: all their colours at once would be 150 times
    the picture, and slower.
    """
    pixels = pixels.float()
    neighbours, difference = _neighbours(pixels, dilations), torch.empty_like(pixels)
    total, squares = torch.zeros_like(pixels), torch.zeros_like(pixels)
    for neighbour in neighbours:
        torch.sub(neighbour, pixels, out=difference)
        total += difference
        squares.addcmul_(difference, difference)
    count = len(neighbours) + len(dilations)  # with the pixel itself, whose difference is 0, in every ring
    variance = (squares - total.square() / count) / (count - 1)
    scale = -1 / ((SPREAD * variance.sqrt() + TINY) * len(pixels))
    likeness = pixels.new_empty(len(neighbours), *pixels.shape[1:])
    for neighbour, alike in zip(neighbours, likeness, strict=True):
        torch.sub(neighbour, pixels, out=difference)
        torch.sum(difference.abs_().mul_(scale), dim=0, out=alike)
    return likeness.softmax(dim=0)


def _neighbours(maps: Float[Tensor, "M H W"], dilations: Sequence[int]) -> list[Float[Tensor, "M H W"]]:
    """The maps as seen by each neighbour, ring by ring, row by row: views of one padded copy."""
    height, width = maps.shape[1:]
    far = max(dilations)
    padded = F.pad(maps[None], (far, far, far, far), mode="replicate")[0]
    return [
        padded[:, far + down : far + down + height, far + across : far + across + width]
        for distance in dilations
        for down in (-distance, 0, distance)
        for across in (-distance, 0, distance)
        if down or across
    ]
