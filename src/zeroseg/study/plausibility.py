"""How plausible a segmentation looks, by itself: for the better side of an attention check."""

from __future__ import annotations

from zeroseg.segmentation import Segmentation

LEAST_AREA = 0.05  # of the picture: smaller areas are hardly seen
Plausibility = tuple[bool, float]


def plausibility(segmentation: Segmentation) -> Plausibility:
    """Whether two areas or more divide the picture (the background may be one), and the mean score of its labels.

    The mean is weighted by area. A picture that has one label all over may be a failure that a grid is no worse than.
    """
    first = int(segmentation.has_background)
    areas, scores = segmentation.fractions[first:], segmentation.scores[first:]
    named = float(areas.sum())
    divided = int((segmentation.fractions >= LEAST_AREA).sum()) > 1
    return divided, float((areas * scores).sum()) / named if named else 0.0
