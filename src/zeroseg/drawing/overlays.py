"""A picture tinted by its segmentation.

Shapes: H, W height and width in pixels; h, w those of the drawing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, UInt16
from PIL import Image

from zeroseg.drawing.colours import label_colours
from zeroseg.drawing.legends import with_legend
from zeroseg.drawing.palettes import RGB
from zeroseg.segmentation import Segmentation

SMALLEST_SIDE, LARGEST_SIDE = 384, 1600  # of an overlay's longer side
THINNEST_SIDE = 32  # of its shorter side


def overlay(
    image: Image.Image,
    segmentation: Segmentation,
    opacity: float = 0.55,
    colours: Mapping[str, RGB] | None = None,
    legend: bool = True,
) -> Image.Image:
    """Tint each label's pixels, draw thin light contours with a dark rim, and add a legend.

    The picture is resized to a longer side of 384 to 1600 pixels and a shorter side of at least 32
    (so a 20,000 x 20 strip becomes thicker). The legend, right of upright pictures and below wide
    ones, lists colour, label and fraction of the labels that occur, largest first, at most 24.
    Background keeps the photo's colours. The colours are those of `label_colours`.

    Args:
        image: the picture, in any mode that converts to RGB.
        segmentation: of the same size.
        opacity: of the tint, 0..1.
        colours: of the labels, instead of `label_colours`, so that several overlays have the same
            ones; labels without a colour keep the photo's colours.
        legend: without it only the picture is drawn, for pages that have a legend of their own.

    Raises:
        ValueError: if sizes differ or `opacity` is out of range.
    """
    if image.size != segmentation.size:
        raise ValueError(f"the picture is {image.size}, its segmentation {segmentation.size}")
    if not 0 <= opacity <= 1:
        raise ValueError(f"opacity must lie in 0..1, not {opacity}")
    size = display_size(image.size)
    tints = _tints(segmentation) if colours is None else _chosen(segmentation, colours)
    class_map = _sampled(segmentation.class_map, size)
    rgb = image if image.mode == "RGB" else image.convert("RGB")
    photo = np.asarray(rgb.resize(size, Image.Resampling.BICUBIC), dtype=np.float32)
    tint = np.zeros((len(segmentation.labels), 3), dtype=np.float32)
    strength = np.zeros((len(segmentation.labels), 1), dtype=np.float32)
    for index, colour in tints.items():
        tint[index], strength[index] = colour, opacity
    weight = strength[class_map]
    painted = photo * (1 - weight) + tint[class_map] * weight
    line = _contours(class_map)
    if max(size) > 800:
        line = _grown(line)
    rim = _grown(line) & ~line
    painted[rim] *= 0.45
    painted[line] = painted[line] * 0.1 + 255 * 0.9
    drawn = Image.fromarray(painted.round().astype(np.uint8))
    return with_legend(drawn, segmentation, tints) if legend else drawn


def _tints(segmentation: Segmentation) -> dict[int, RGB]:
    """Colours of the labels that occur, background left out."""
    colours = label_colours(segmentation)
    return {index: colours[index] for index in segmentation.present_indices if index or not segmentation.has_background}


def _chosen(segmentation: Segmentation, colours: Mapping[str, RGB]) -> dict[int, RGB]:
    labels = segmentation.labels
    return {index: colours[labels[index]] for index in segmentation.present_indices if labels[index] in colours}


def display_size(size: tuple[int, int]) -> tuple[int, int]:
    """Width and height at which `overlay` draws a picture of this width and height, its legend not counted."""
    longer = max(size)
    scale = min(math.ceil(SMALLEST_SIDE / longer), LARGEST_SIDE / longer)
    width, height = (max(THINNEST_SIDE, round(side * scale)) for side in size)
    return width, height


def _sampled(class_map: UInt16[np.ndarray, "H W"], size: tuple[int, int]) -> UInt16[np.ndarray, "h w"]:
    """Nearest neighbour: indices cannot be blended."""
    (height, width), (columns, rows) = class_map.shape, size
    ys = ((np.arange(rows) + 0.5) * height / rows).astype(np.intp)
    xs = ((np.arange(columns) + 0.5) * width / columns).astype(np.intp)
    return class_map[ys[:, None], xs]


def _contours(class_map: UInt16[np.ndarray, "H W"]) -> Bool[np.ndarray, "H W"]:
    line = np.zeros(class_map.shape, dtype=bool)
    line[:, 1:] |= class_map[:, 1:] != class_map[:, :-1]
    line[1:] |= class_map[1:] != class_map[:-1]
    return line


def _grown(mask: Bool[np.ndarray, "H W"]) -> Bool[np.ndarray, "H W"]:
    grown = mask.copy()
    grown[1:] |= mask[:-1]
    grown[:-1] |= mask[1:]
    grown[:, 1:] |= mask[:, :-1]
    grown[:, :-1] |= mask[:, 1:]
    return grown
