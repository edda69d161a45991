"""A Segmentation is right when it exists: everything wrong is refused at its door."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from zeroseg.errors import VocabularyError
from zeroseg.segmentation import Segmentation, percentage

CLASS_MAP = np.array([[0, 0, 2], [2, 2, 2]])
SCORES = np.array([0.5, 0.0, 0.25])
LABELS = ("background", "dog", "cat")


def example() -> Segmentation:
    return Segmentation(LABELS, CLASS_MAP, SCORES, has_background=True)


def test_size_is_width_then_height_as_in_pillow():
    assert example().size == (3, 2)


def test_shares_and_presence_count_pixels():
    np.testing.assert_allclose(example().fractions, [2 / 6, 0, 4 / 6])
    np.testing.assert_array_equal(example().shares, example().fractions)  # the former name
    assert example().present == ("cat", "background")
    assert example().present_indices == (2, 0)


def test_equal_areas_come_in_label_order():
    tie = Segmentation(("a", "b"), np.array([[1, 0]]), np.ones(2))
    assert tie.present == ("a", "b")


def test_mask_of_a_label():
    np.testing.assert_array_equal(example().mask("cat"), CLASS_MAP == 2)
    assert not example().mask("dog").any()


def test_mask_of_an_unknown_label_names_the_known_ones():
    with pytest.raises(VocabularyError, match=r"'cow'.*'background', 'dog', 'cat'"):
        example().mask("cow")
    many = Segmentation(tuple(map(str, range(2000))), np.zeros((1, 1), int), np.zeros(2000))
    with pytest.raises(VocabularyError, match="and 1988 more"):
        many.mask("cow")


def test_summary_survives_json():
    summary = json.loads(json.dumps(example().summary()))
    assert (summary["width"], summary["height"], summary["has_background"]) == (3, 2, True)
    assert summary["labels"][2] == {"index": 2, "label": "cat", "fraction": 0.666667, "score": 0.25}
    assert [row["label"] for row in summary["labels"]] == list(LABELS)


def test_absent_labels_are_those_that_have_no_pixel_but_for_the_background():
    assert example().absent == ("dog",)
    nothing = Segmentation(("background", "dog", "cat"), np.zeros((2, 2), int), np.zeros(3), has_background=True)
    everywhere = Segmentation(("background", "dog"), np.ones((2, 2), int), np.zeros(2), has_background=True)
    own = Segmentation(("dog", "background"), np.ones((2, 2), int), np.zeros(2))
    assert (nothing.absent, everywhere.absent, own.absent) == (("dog", "cat"), (), ("dog",))


@pytest.mark.parametrize(
    ("fraction", "words"), [(0.0049, "< 1%"), (0.005, "< 1%"), (0.0, "0%"), (0.0051, "1%"), (0.254, "25%"), (1, "100%")]
)
def test_nothing_that_occurs_is_said_to_be_0_per_cent(fraction: float, words: str):
    assert percentage(fraction) == words


def test_repr_is_short_even_for_large_results():
    shown = repr(Segmentation(tuple(map(str, range(500))), np.arange(500).reshape(20, 25), np.ones(500)))
    assert shown == "Segmentation(25x20, 500 labels: 0 < 1%, 1 < 1%, 2 < 1%, ...)"


def test_later_changes_of_the_callers_arrays_do_not_reach_in():
    class_map, scores = CLASS_MAP.copy(), SCORES.copy()
    kept = Segmentation(LABELS, class_map, scores)
    class_map[:], scores[:] = 99, 99
    assert kept.class_map.max() == 2
    assert kept.scores.max() == 0.5
    for array in (kept.class_map, kept.scores, kept.fractions):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"labels": ()}, "1 to 65536 names"),
        ({"labels": ("a", "b", "a")}, "'a' occurs more than once"),
        ({"labels": ("a", " ", "b")}, "must not be empty"),
        ({"labels": ("a", "b", "c"), "has_background": True}, "must be 'background'"),
        ({"class_map": np.zeros(3, int)}, "non-empty"),
        ({"class_map": np.zeros((0, 3), int)}, "non-empty"),
        ({"class_map": CLASS_MAP.astype(float)}, "integers"),
        ({"class_map": CLASS_MAP == 0}, "integers"),
        ({"class_map": CLASS_MAP - 1}, "from -1 to 1"),
        ({"class_map": CLASS_MAP + 1}, "0..2, but runs from 1 to 3"),
        ({"class_map": CLASS_MAP + 65_536}, "0..2"),
        ({"scores": np.zeros(2)}, r"\[3\], not \[2\]"),
        ({"scores": np.zeros((3, 1))}, "one number a label"),
        ({"scores": np.zeros(3, int)}, "floating"),
        ({"scores": np.array([0.5, 0, np.nan])}, "finite"),
        ({"scores": np.array([0.5, 0, 1.5])}, "0..1"),
        ({"scores": np.array([-0.5, 0, 0.5])}, "0..1"),
        ({"scores": np.array([0.5, 0.1, 0.5])}, "no pixel carries"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_clear_sentence(changed: dict[str, object], complaint: str):
    fields: dict[str, Any] = {"labels": LABELS, "class_map": CLASS_MAP, "scores": SCORES} | changed
    with pytest.raises(ValueError, match=complaint):
        Segmentation(**fields)


@settings(max_examples=40, deadline=None)
@given(class_map=hnp.arrays(np.int64, hnp.array_shapes(min_dims=2, max_dims=2), elements=st.integers(0, 9)))
def test_masks_partition_the_picture_and_agree_with_the_shares(class_map: np.ndarray):
    labels = tuple("abcdefghij")
    result = Segmentation(labels, class_map, np.zeros(10))
    masks = np.stack([result.mask(label) for label in labels])
    assert (masks.sum(axis=0) == 1).all()
    np.testing.assert_allclose(masks.mean(axis=(1, 2)), result.fractions)
    assert result.fractions.sum() == pytest.approx(1)
    assert set(result.present) == {labels[index] for index in np.unique(class_map)}
