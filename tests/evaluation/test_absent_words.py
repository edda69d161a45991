"""Figures of absent words: AUROC against scikit-learn, counts against masks that are known."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from zeroseg.evaluation import open_dataset
from zeroseg.evaluation.absent_words import MANY, OWN, PRESENT, THERE, AbsentWords, area_under_roc, measure_absent_words
from zeroseg.presence import without_absent
from zeroseg.segmenter import Segmenter

OTHERS = ("zebra", "bridge", "a red thing")


@cache
def drawings() -> Segmenter:
    """The bundled model for drawings, without refinement, which takes most of the time."""
    return Segmenter.from_pretrained("picturebook").reading(refinement=0)


@cache
def measured() -> AbsentWords:
    """Five scenes."""
    return measure_absent_words(drawings(), open_dataset("picturebook-voc", "validation", 5), OTHERS)


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=30))
@settings(deadline=None)
def test_area_under_roc_is_that_of_scikit_learn(pairs: list[tuple[int, bool]]) -> None:
    """Also with equal scores."""
    scores, positive = np.array([float(score) for score, _ in pairs]), np.array([is_true for _, is_true in pairs])
    if positive.any() and not positive.all():
        assert area_under_roc(scores, positive) == pytest.approx(roc_auc_score(positive, scores))


@pytest.mark.parametrize("kind", ["keep", "drop"])
def test_areas_are_counted(kind: str) -> None:
    """Against a second count, label by label, from masks that are made again."""
    dataset = open_dataset("picturebook-voc", "validation", 5)
    labels, false, missed = dataset.vocabulary.labels, 0, 0
    for sample in dataset:
        encoded = drawings().encode(sample.image)
        kept = drawings().name(encoded, dataset.vocabulary)
        found = kept if kind == "keep" else without_absent(drawings(), encoded, dataset.vocabulary)
        for number, label in enumerate(labels, 1):
            true, area = (sample.truth == number).mean(), found.mask(label).mean()
            false += true < 0.0005 and area >= THERE
            missed += true >= THERE and area == 0
    row = measured().rows[OWN][kind]
    assert (row["false_areas"], row["missed"]) == (
        pytest.approx(false / 5, abs=1e-3),
        pytest.approx(missed / 5, abs=1e-3),
    )
    assert row["of_others"] == 0


def test_vocabularies_differ_as_they_should() -> None:
    """With the labels of a picture alone nothing is false; other words have areas of their own."""
    found = measured()
    assert found.images == 5
    assert 0.9 < found.auroc <= 1
    assert found.rows[PRESENT]["keep"]["false_areas"] == 0
    assert found.rows[PRESENT]["keep"]["miou"] > found.rows[OWN]["keep"]["miou"]
    assert found.rows[OWN]["drop"]["false_areas"] < found.rows[OWN]["keep"]["false_areas"]
    assert found.rows[MANY]["keep"]["of_others"] > 0
    assert found.as_json()["rows"] == found.rows
