"""Which segmentation is the better side of an attention check: one that divides the picture, then the surest."""

import numpy as np

from zeroseg.segmentation import Segmentation
from zeroseg.study.plausibility import plausibility


def columns(*labels: int, score: float = 0.5, background: bool = False) -> Segmentation:
    class_map = np.tile(np.array(labels), (4, 1))
    names = ("background" if background else "sky", "dog", "cat")
    return Segmentation(names, class_map, np.where(np.isin(range(3), labels), score, 0.0), background)


def test_two_areas_are_better_than_one_and_then_scores_decide():
    ordered = [columns(1, score=0.99), columns(*[1] * 40, 2, score=0.995), columns(1, 2, score=0.3), columns(0, 1)]
    ranks = [plausibility(one) for one in ordered]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) == 4


def test_background_divides_but_has_no_score():
    assert plausibility(columns(0, 1, score=0.25, background=True)) == (True, 0.25)
    assert plausibility(columns(0, score=0.25, background=True)) == (False, 0.0)
