"""Connected components of class maps: areas of one class, connected by edges of pixels, not by corners.

Refinement decides pixel by pixel. On textures and in the noise of a photo that leaves hundreds of components of a few
pixels, which show nothing. `without_small_components` gives them to what is around them.

Letters: H W pixels, R run (neighbouring pixels of one class in a row), E edge between two runs, O open pixel.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int, Integer

CLASSES = 1 << 17  # more than a segmentation has


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
    small = np.repeat(small_runs, lengths).reshape(class_map.shape)
    width = class_map.shape[1] + 2
    classes = np.pad(class_map, 1).ravel()
    undecided = np.pad(small, 1, constant_values=True).ravel()  # the frame stays so
    steps = np.array((-width, -1, 1, width))
    left = np.flatnonzero(np.pad(small, 1))
    while len(left):
        around = left + steps[:, None]
        decided = ~undecided[around]
        reached = decided.any(axis=0)
        chosen = _most_frequent(classes[around[:, reached]], decided[:, reached])
        classes[left[reached]], undecided[left[reached]] = chosen, False
        left = left[~reached]
    return classes.reshape(-1, width)[1:-1, 1:-1]


def _runs(class_map: Integer[np.ndarray, "H W"]) -> tuple[Int[np.ndarray, " R"], Int[np.ndarray, " R"]]:
    """For every run, row by row, the first run of its component, and its length in pixels."""
    starts = np.ones(class_map.shape, dtype=bool)
    starts[:, 1:] = class_map[:, 1:] != class_map[:, :-1]
    first = np.flatnonzero(starts)
    runs = (np.cumsum(starts, dtype=np.int32) - 1).reshape(class_map.shape)
    met = class_map[1:] == class_map[:-1]
    met &= starts[1:] | starts[:-1]  # two runs that lie one above the other meet where the later one of them starts
    roots = _roots(len(first), runs[:-1][met], runs[1:][met])
    return roots, np.diff(first, append=class_map.size)


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
