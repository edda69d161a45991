"""Masks as polygons and back, exactly: corners are corners of pixels, and holes are kept.

A pixel covers the square from (x, y) to (x + 1, y + 1). Outlines of areas run clockwise on the screen, holes the other
way round, so that both rules of filling, even-odd and non-zero, give the same pixels.

Letters: H W pixels, h w those of a box, N corners, E edges, C crossings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Real

Ring = Int[np.ndarray, "_ 2"]  # corners, x and y; the last is joined to the first

NEAR = 512  # corners among which the start of a bridge is searched


@dataclass(frozen=True, eq=False)
class Outline:
    """The border of a connected area, and those of its holes."""

    exterior: Ring
    holes: tuple[Ring, ...] = ()

    def moved(self, left: int, top: int) -> Outline:
        """The same outline elsewhere."""
        by = np.array((left, top))
        return Outline(self.exterior + by, tuple(hole + by for hole in self.holes))

    @property
    def keyholed(self) -> Ring:
        """One ring for formats without holes: to each hole there and back on one line, which covers no pixel.

        A hole's first corner is reached from the nearest of the `NEAR` corners before it, row by row.
        """
        rings, bridges = (self.exterior, *self.holes), self._bridges()
        parts, under_way = list[Ring](), [(0, 0)]  # a ring's number, and the corner at which it goes on
        while under_way:
            number, at = under_way.pop()
            if bridges[number]:
                corner, hole = bridges[number].pop(0)
                parts.append(rings[number][at : corner + 1])
                under_way += [(number, corner), (hole, 0)]
            else:
                parts += [rings[number][at:], rings[number][: min(number, 1)]]  # a hole ends where it begins
        return np.concatenate(parts)

    def _bridges(self) -> list[list[tuple[int, int]]]:
        """For each ring, the exterior is 0: from which corner it leads to which hole, in the order of the corners."""
        rings = (self.exterior, *self.holes)
        corners, lengths = np.concatenate(rings), [len(ring) for ring in rings]
        starts = np.cumsum(lengths) - lengths
        owner = np.repeat(np.arange(len(rings)), lengths)
        order = np.lexsort((corners[:, 0], corners[:, 1]))
        place = np.empty(len(order), np.intp)
        place[order] = np.arange(len(order))
        bridges: list[list[tuple[int, int]]] = [[] for _ in rings]
        for hole in range(1, len(rings)):
            first = starts[hole]  # what comes before it belongs to rings that begin before it, or to the exterior
            near = order[max(place[first] - NEAR, 0) : place[first]]
            corner = near[np.abs(corners[near] - corners[first]).sum(axis=1).argmin()]
            bridges[owner[corner]].append((int(corner - starts[owner[corner]]), hole))
        return list(map(sorted, bridges))


def outline(mask: Bool[np.ndarray, "H W"]) -> Outline:
    """The outline of a mask that is one connected area: by edges of pixels, not by corners (`annotated.Region.mask`).

    A ring has a corner only where it turns; its first corner is the first of them, row by row.
    """
    exterior, *holes = sorted(_rings(mask), key=_signed_area, reverse=True)
    return Outline(exterior, tuple(holes))


def painted(rings: Sequence[Real[np.ndarray, "_ 2"]], size: tuple[int, int]) -> Bool[np.ndarray, "H W"]:
    """The pixels whose centres lie within an odd number of rings. `size`: width and height.

    A centre on an edge is within if the area is right of the edge or below it.
    """
    width, height = size
    crossings = np.zeros((height, width + 1), np.int32)
    for ring in rings:
        corners = np.asarray(ring, np.float64)
        rows, columns = _crossings(corners, np.roll(corners, -1, axis=0), size)
        np.add.at(crossings, (rows, columns), 1)
    return np.cumsum(crossings, axis=1)[:, :width] % 2 == 1


def filled(rings: Sequence[Real[np.ndarray, "_ 2"]], size: tuple[int, int]) -> tuple[int, int, Bool[np.ndarray, "h w"]]:
    """The same as `painted` within the box of the rings alone: its left, its top and its mask.

    Raises `ValueError` if a corner is not finite, or if there is none.
    """
    corners = np.concatenate([np.asarray(ring, np.float64).reshape(-1, 2) for ring in rings] or [np.zeros((0, 2))])
    if not len(corners) or not np.isfinite(corners).all():
        raise ValueError("a polygon without corners, or with corners that are not finite")
    lowest = np.clip(np.floor(corners.min(axis=0)), 0, size).astype(np.intp)
    highest = np.clip(np.ceil(corners.max(axis=0)), 0, size).astype(np.intp)
    (left, top), (width, height) = map(int, lowest), map(int, highest - lowest)
    return left, top, painted([np.asarray(ring, np.float64) - lowest for ring in rings], (width, height))


def _crossings(
    start: Float[np.ndarray, "E 2"], end: Float[np.ndarray, "E 2"], size: tuple[int, int]
) -> tuple[Int[np.ndarray, " C"], Int[np.ndarray, " C"]]:
    """For every edge and every row whose centre line it crosses: the row, and the first pixel right of the crossing."""
    width, height = size
    upper, lower = np.where(start[:, 1:] <= end[:, 1:], start, end), np.where(start[:, 1:] <= end[:, 1:], end, start)
    first = np.clip(np.ceil(upper[:, 1] - 0.5), 0, height).astype(np.intp)
    last = np.clip(np.ceil(lower[:, 1] - 0.5), 0, height).astype(np.intp)  # the first row that is not crossed
    count = last - first
    edge = np.repeat(np.arange(len(start)), count)
    rows = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + first[edge]
    step = (rows + 0.5 - upper[edge, 1]) / (lower[edge, 1] - upper[edge, 1])
    crossing = upper[edge, 0] + step * (lower[edge, 0] - upper[edge, 0])
    return rows, np.clip(np.ceil(crossing - 0.5), 0, width).astype(np.intp)


def _rings(mask: Bool[np.ndarray, "H W"]) -> list[Ring]:
    """All rings. Each corner has one neighbour in its row and one in its column, which are visited in turn.

    Where two areas touch at a corner, there are two corners in one place: each belongs to one area.
    """
    x, y, to_left, to_top = _corners(mask)
    in_rows = np.lexsort((~to_left, x, y)).reshape(-1, 2)
    in_columns = np.lexsort((~to_top, y, x)).reshape(-1, 2)
    across, down = np.empty(len(x), np.intp), np.empty(len(x), np.intp)
    across[in_rows] = in_rows[:, ::-1]
    down[in_columns] = in_columns[:, ::-1]
    steps, other = across.tolist(), down.tolist()
    left, rings = np.ones(len(x), bool), list[Ring]()
    for first in in_rows[:, 0].tolist():
        if not left[first]:
            continue
        ring, at = list[int](), first
        while not ring or at != first:
            ring += (at, steps[at])
            at = other[steps[at]]
        left[ring] = False
        corners = np.stack([x[ring], y[ring]], axis=1)
        is_hole = not mask[y[first], x[first]]  # the pixel right of and below the ring's first corner is within
        rings.append(np.roll(corners[::-1], 1, axis=0) if is_hole else corners)
    return rings


def _corners(
    mask: Bool[np.ndarray, "H W"],
) -> tuple[Int[np.ndarray, " N"], Int[np.ndarray, " N"], Bool[np.ndarray, " N"], Bool[np.ndarray, " N"]]:
    """Where borders turn: x, y, and whether a corner's horizontal edge goes left, its vertical edge up."""
    framed = np.pad(mask, 1)
    nw, ne, sw, se = framed[:-1, :-1], framed[:-1, 1:], framed[1:, :-1], framed[1:, 1:]
    one_or_three = nw ^ ne ^ sw ^ se
    y, x = np.nonzero(one_or_three)
    to_left, to_top = (nw ^ sw)[y, x], (nw ^ ne)[y, x]
    crossed_y, crossed_x = np.nonzero((nw == se) & (ne == sw) & (nw ^ ne))
    falling = nw[crossed_y, crossed_x]  # the areas are upper left and lower right
    return (
        np.concatenate([x, crossed_x, crossed_x]),
        np.concatenate([y, crossed_y, crossed_y]),
        np.concatenate([to_left, np.ones_like(falling), np.zeros_like(falling)]),
        np.concatenate([to_top, falling, ~falling]),
    )


def _signed_area(ring: Ring) -> float:
    """The signed area: negative for holes."""
    x, y = ring[:, 0].astype(np.float64), ring[:, 1].astype(np.float64)
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2
