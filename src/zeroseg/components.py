"""Connected components of class maps: areas of one class, connected by edges of pixels, not by corners.

Refinement decides pixel by pixel. On textures and in the noise of a photo that leaves hundreds of components of a few
pixels, which show nothing. `without_small_components` gives them to what is around them.

Letters: H W pixels, R run (neighbouring pixels of one class in a row), E edge between two runs, O open pixel.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int, Integer

CLASSES = 1 << 17  # more than a segmentation has
AT_ONCE = 1 << 24  # pixels whose runs are found at once


def components(class_map: Integer[np.ndarray, "H W"]) -> Int[np.ndarray, "H W"]:
    """The number of the component of every pixel: 0, 1, 2, ... in the order of their first pixels, row by row."""
    roots, lengths = _runs(class_map)
    return np.repeat(np.unique(roots, return_inverse=True)[1], lengths).reshape(class_map.shape)


def without_small_components(class_map: Integer[np.ndarray, "H W"], smallest: float) -> Integer[np.ndarray, "H W"]:
    """The class map without components of fewer than `smallest` pixels.

    Large components keep their pixels and grow into small ones: step by step, a pixel beside one that is decided takes
    the most frequent class of its decided neighbours, of equally frequent ones the first. So every component of the
    result contains a large one, and turning or mirroring the map turns or mirrors the result. A map that has no large
    component is returned as it is.
    """
    if smallest <= 1:
        return class_map
    roots, lengths = _runs(class_map)
    small_runs = np.bincount(roots, lengths)[roots] < smallest
    if small_runs.all() or not small_runs.any():
        return class_map
    undecided = np.repeat(small_runs, lengths)
    classes = class_map.flatten()
    left = np.flatnonzero(undecided)
    while len(left):
        around, inside = _neighbours(left, class_map.shape)
        decided = inside & ~undecided[around]
        reached = decided.any(axis=0)
        chosen = _most_frequent(classes[around[:, reached]], decided[:, reached])
        classes[left[reached]], undecided[left[reached]] = chosen, False
        left = left[~reached]
    return classes.reshape(class_map.shape)


def _neighbours(
    pixels: Int[np.ndarray, " O"], shape: tuple[int, ...]
) -> tuple[Int[np.ndarray, "4 O"], Bool[np.ndarray, "4 O"]]:
    """The pixels above, left, right and below, and which of them are in the picture; of others the pixel itself."""
    height, width = shape
    rows, columns = np.divmod(pixels, width)
    inside = np.stack([rows > 0, columns > 0, columns < width - 1, rows < height - 1])
    steps = np.array((-width, -1, 1, width))
    return np.where(inside, pixels + steps[:, None], pixels), inside


def _runs(class_map: Integer[np.ndarray, "H W"]) -> tuple[Int[np.ndarray, " R"], Int[np.ndarray, " R"]]:
    """For every run, row by row, the first run of its component, and its length in pixels."""
    height, width = class_map.shape
    rows = max(1, AT_ONCE // width)
    first, one, other, count = list[np.ndarray](), list[np.ndarray](), list[np.ndarray](), 0
    for top in range(0, height, rows):
        above = min(top, 1)  # a strip begins with the last row of the one before: runs meet there, too
        part = class_map[top - above : top + rows]
        starts = np.ones(part.shape, dtype=bool)
        starts[:, 1:] = part[:, 1:] != part[:, :-1]
        count -= int(starts[:above].sum())
        runs = (np.cumsum(starts, dtype=np.int32) + (count - 1)).reshape(part.shape)
        met = part[1:] == part[:-1]
        met &= starts[1:] | starts[:-1]  # two runs that lie one above the other meet where the later one of them starts
        first.append(np.flatnonzero(starts[above:]) + top * width)
        one.append(runs[:-1][met])
        other.append(runs[1:][met])
        count = int(runs[-1, -1]) + 1
    roots = _roots(count, np.concatenate(one), np.concatenate(other))
    return roots, np.diff(np.concatenate(first), append=class_map.size)


def _roots(runs: int, one: Int[np.ndarray, " E"], other: Int[np.ndarray, " E"]) -> Int[np.ndarray, " R"]:
    """For every run the first run that it is connected with, by the edges between `one` and `other`.

    Roots are joined to the lowest root beside them, all at once, until no edge has two roots.
    """
    root = np.arange(runs)
    while True:
        low, high = np.minimum(root[one], root[other]), np.maximum(root[one], root[other])
        apart = low < high
        if not apart.any():
            return root
        one, other = one[apart], other[apart]
        np.minimum.at(root, high[apart], low[apart])
        while (root[root] != root).any():
            root = root[root]


def _most_frequent(classes: Integer[np.ndarray, "4 O"], counted: Bool[np.ndarray, "4 O"]) -> Int[np.ndarray, " O"]:
    """For every column the most frequent of the counted classes; of equally frequent ones the first."""
    votes = ((classes[:, None] == classes[None]) & counted[None]).sum(axis=1)
    ranks = np.where(counted, votes * CLASSES - classes, 0).max(axis=0)
    return -ranks % CLASSES
