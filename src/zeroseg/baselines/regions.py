"""The regions of a true mask: the connected components of its classes.

Letters: R region, P pair, H W pixels.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int64, UInt16

from zeroseg.views import Box

SMALLEST = 1e-3  # fraction of the picture: smaller components belong to the region of the largest one of their class


def true_regions(truth: UInt16[np.ndarray, "H W"], ignore: int) -> tuple[Bool[np.ndarray, "R H W"], list[Box]]:
    """The masks of all regions, and the boxes from which they get names; pixels of the class `ignore` are in none.

    A region is a component of a class (`components`). Components smaller than a thousandth of the picture, of which
    there may be hundreds, are not regions: each belongs to the region of its class' largest component, but is not in
    its box.
    """
    parts = components(truth)
    _, first, sizes = np.unique(parts, return_index=True, return_counts=True)
    classes = truth.ravel()[first]
    by_size = np.argsort(sizes, kind="stable")
    largest = np.zeros(int(classes.max()) + 1, np.int64)
    largest[classes[by_size]] = by_size  # the last assignment for a class is its largest component
    region_of = np.where(sizes < SMALLEST * truth.size, largest[classes], np.arange(len(sizes)))
    region_of[classes == ignore] = -1
    kept = np.unique(region_of[region_of >= 0])
    return region_of[parts] == kept[:, None, None], [_box(parts == part) for part in kept]


def components(labels: UInt16[np.ndarray, "H W"]) -> Int64[np.ndarray, "H W"]:
    """The connected component of every pixel, numbered from 0 in the order of their first pixels, row by row.

    Pixels with the same label are connected if they touch at a side or a corner, so a thin diagonal line is one piece.
    """
    height, width = labels.shape
    begins = np.ones((height, width), bool)
    begins[:, 1:] = labels[:, 1:] != labels[:, :-1]
    runs = begins.cumsum().reshape(height, width) - 1  # runs of one label in a row
    above, below = _touching(labels, begins, runs)
    own = np.arange(runs[-1, -1] + 1)
    first = own  # the run to which every run is joined: at the end, the first run of its component
    while np.any(apart := first[above] != first[below]):
        above, below = above[apart], below[apart]
        one, other = first[above], first[below]
        first = first.copy()
        np.minimum.at(first, np.maximum(one, other), np.minimum(one, other))
        while np.any(first != first[first]):
            first = first[first]
    return ((first == own).cumsum() - 1)[first[runs]]


def _touching(
    labels: UInt16[np.ndarray, "H W"], begins: Bool[np.ndarray, "H W"], runs: Int64[np.ndarray, "H W"]
) -> Int64[np.ndarray, "2 P"]:
    """All pairs of runs of one label that touch, one in the row above the other."""
    pairs: list[Int64[np.ndarray, "2 P"]] = []
    for shift in (-1, 0, 1):
        upper = np.s_[:-1, max(0, -shift) : labels.shape[1] - max(0, shift)]
        lower = np.s_[1:, max(0, shift) : labels.shape[1] - max(0, -shift)]
        same = (labels[upper] == labels[lower]) & (begins[upper] | begins[lower])  # each pair once, at its first pixel
        pairs.append(np.stack([runs[upper][same], runs[lower][same]]))
    return np.concatenate(pairs, axis=1)


def _box(mask: Bool[np.ndarray, "H W"]) -> Box:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
