"""Two palettes: PASCAL VOC's, which other tools use, and ours, whose colours are easy to distinguish."""

from __future__ import annotations

from functools import lru_cache
from typing import cast

import numpy as np

RGB = tuple[int, int, int]

PAPER: RGB = (250, 250, 247)
INK: RGB = (38, 38, 42)
NO_TINT: RGB = (214, 214, 210)  # the background's swatch: its pixels keep the photo's colours

FIRST_COLOUR: RGB = (68, 136, 238)
OVERLAY_COLOURS = 64


def palette(count: int) -> list[RGB]:
    """PASCAL VOC's colour map: bits 0, 3, 6, ... of an index fill red from the top, 1, 4, 7 green, 2, 5, 8 blue.

    Index 0 is black; all colours are distinct for up to 2^24 indices.
    """

    def channel(index: int, first: int) -> int:
        return sum((index >> (3 * place + first) & 1) << (7 - place) for place in range(8))

    return [(channel(index, 0), channel(index, 1), channel(index, 2)) for index in range(count)]


@lru_cache
def overlay_palette(count: int) -> tuple[RGB, ...]:
    """Return colours that are easy to distinguish: the first n of them are well separated, for any n.

    Farthest-point sampling in OKLab (https://bottosson.github.io/posts/oklab), where distance is
    close to perceived difference, without very dark, pale, grey and bright colours. After
    `OVERLAY_COLOURS` they repeat: nobody can distinguish more of them in a photo.
    """
    levels = np.linspace(0, 255, 16).round()
    grid = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(-1, 3)
    lab = _oklab(grid)
    chroma = np.hypot(lab[:, 1], lab[:, 2])
    clear = (lab[:, 0] > 0.5) & (lab[:, 0] < 0.86) & (chroma > 0.09) & (chroma < 0.21)
    grid, lab = grid[clear], lab[clear]
    chosen = [int(np.abs(grid - FIRST_COLOUR).sum(axis=1).argmin())]
    nearest = np.full(len(lab), np.inf)
    while len(chosen) < min(count, OVERLAY_COLOURS):
        distance = np.linalg.norm(lab - lab[chosen[-1]], axis=1)
        nearest = np.minimum(nearest, distance.round(6))  # rounded: the same on every machine
        chosen.append(int(nearest.argmax()))
    colours = [cast("RGB", tuple(int(level) for level in grid[index])) for index in chosen]
    return tuple(colours[index % len(colours)] for index in range(count))


def _oklab(rgb: np.ndarray) -> np.ndarray:
    unit = rgb / 255
    linear = np.where(unit <= 0.04045, unit / 12.92, ((unit + 0.055) / 1.055) ** 2.4)
    to_cones = [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
    to_lab = [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
    return np.cbrt(linear @ np.array(to_cones).T) @ np.array(to_lab).T
