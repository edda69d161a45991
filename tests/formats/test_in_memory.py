"""Segmentations as values of other libraries, and back, pixel by pixel."""

from __future__ import annotations

import sys
import warnings
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from tests.formats.pictures import CASES, CLASSES, Drawings, annotated, built, drawings
from zeroseg.errors import ConfigError
from zeroseg.formats import (
    Classes,
    from_fiftyone,
    from_records,
    from_supervision,
    mask_targets,
    regions,
    to_fiftyone,
    to_records,
    to_supervision,
)
from zeroseg.segmentation import Segmentation

with warnings.catch_warnings():
    warnings.simplefilter("ignore", UserWarning)  # it works without OpenCV, and says so
    import supervision


@pytest.fixture
def fiftyone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module in place of fiftyone: its labels keep what they are given."""
    monkeypatch.setitem(sys.modules, "fiftyone", SimpleNamespace(Segmentation=SimpleNamespace))


def assert_same(found: Segmentation, expected: Segmentation, scores: bool = True) -> None:
    """The same labels, pixels, and scores of the labels that occur; the background's score is not kept."""
    assert (found.labels, found.has_background) == (expected.labels, expected.has_background)
    np.testing.assert_array_equal(found.class_map, expected.class_map)
    if scores:
        first = int(expected.has_background)
        np.testing.assert_allclose(found.scores[first:], expected.scores[first:], rtol=1e-6)


def segmentations() -> dict[str, Segmentation]:
    """The hard pictures by name."""
    return {case: annotated(class_map, classes).segmentation for case, (classes, class_map) in CASES.items()}


@pytest.mark.parametrize("case", CASES)
def test_supervision(case: str) -> None:
    """Boxes are those that supervision itself finds around the masks."""
    one = segmentations()[case]
    detections = to_supervision(one)
    masks, names, scores = detections.mask, detections.data["class_name"], detections.confidence
    assert isinstance(masks, np.ndarray)
    assert isinstance(names, np.ndarray)
    assert scores is not None
    assert len(detections) == len(list(regions(one)))
    np.testing.assert_array_equal(detections.xyxy, supervision.mask_to_xyxy(masks).reshape(-1, 4))
    for mask, name, score in zip(masks, names, scores, strict=True):
        assert (one.mask(str(name))[mask]).all()
        assert score == one.scores[one.labels.index(str(name))]
    assert_same(from_supervision(detections, Classes.of(one), one.size), one)
    del detections.data["class_name"]
    assert_same(from_supervision(detections, Classes.of(one), one.size), one)


@pytest.mark.parametrize("case", CASES)
def test_records(case: str) -> None:
    """One picture a label."""
    one = segmentations()[case]
    records = to_records(one)
    assert [record["label"] for record in records] == [label for label in one.labels if label in one.present][
        int(one.has_background and "background" in one.present) :
    ]
    assert {record["mask"].mode for record in records} <= {"L"}
    assert all(set(np.unique(np.asarray(record["mask"])).tolist()) <= {0, 255} for record in records)
    assert_same(from_records(records, Classes.of(one), one.size), one)


@pytest.mark.usefixtures("fiftyone")
@pytest.mark.parametrize("case", CASES)
def test_fiftyone(case: str) -> None:
    """0 is the background, as in FiftyOne; without a background it does not occur."""
    one = segmentations()[case]
    label: Any = to_fiftyone(one)
    classes = Classes.of(one)
    names = np.array([mask_targets(classes).get(number, "background") for number in label.mask.ravel().tolist()])
    np.testing.assert_array_equal(names.reshape(label.mask.shape), np.array(one.labels)[one.class_map])
    assert label.mask.dtype == (np.uint16 if len(one.labels) > 255 else np.uint8)
    assert_same(from_fiftyone(label, classes), one, scores=False)


@given(drawn=drawings())
@settings(max_examples=30, deadline=None)
def test_any_segmentation(drawn: Drawings) -> None:
    """Blocks, noise, pictures without any label."""
    for one in (picture.segmentation for picture in built(drawn)[1]):
        classes = Classes.of(one)
        assert_same(from_supervision(to_supervision(one), classes, one.size), one)
        assert_same(from_records(to_records(one), classes, one.size), one)


def test_results_of_other_models() -> None:
    """Scores that are missing; numbers and names of another data set; small masks on large ones."""
    large, small = np.ones((2, 3), bool), np.eye(2, 3, dtype=bool)
    records = [{"score": 0.5, "label": "dog", "mask": small}, {"score": None, "label": "cat", "mask": large * 255}]
    assert from_records(records, CLASSES, (3, 2)).class_map.tolist() == [[1, 2, 2], [2, 1, 2]]
    detections = SimpleNamespace(xyxy=np.zeros((1, 4)), mask=small[None], class_id=[2], confidence=None, data={})
    assert from_supervision(detections, CLASSES, (3, 2)).class_map.tolist() == [[2, 0, 0], [0, 2, 0]]
    label = SimpleNamespace(mask=np.array([[9, 7, 0]]))
    assert from_fiftyone(label, CLASSES, {7: "cat", 9: "dog"}).class_map.tolist() == [[1, 2, 0]]


def test_values_that_do_not_fit_are_refused() -> None:
    """Each with its reason."""
    detections = SimpleNamespace(xyxy=np.zeros((1, 4)), mask=None, class_id=[2], confidence=None, data={})
    with pytest.raises(ValueError, match="no masks"):
        from_supervision(detections, CLASSES, (3, 2))
    with pytest.raises(ValueError, match="a mask of 2 x 2"):
        from_records([{"score": 1, "label": "dog", "mask": np.eye(2)}], CLASSES, (3, 2))
    with pytest.raises(ValueError, match="not in tuple"):
        from_records([{"score": 1, "label": "cow", "mask": np.eye(2)}], CLASSES, (2, 2))
    with pytest.raises(ValueError, match="no mask in memory"):
        from_fiftyone(SimpleNamespace(mask=None), CLASSES)
    with pytest.raises(ValueError, match="of integers"):
        from_fiftyone(SimpleNamespace(mask=np.zeros((2, 2, 3), int)), CLASSES)
    with pytest.raises(ValueError, match="no background"):
        from_fiftyone(SimpleNamespace(mask=np.zeros((2, 2), int)), Classes(("dog",)))


@pytest.mark.parametrize("library", ["supervision", "fiftyone"])
def test_a_missing_library_is_one_sentence(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the command that installs it."""
    monkeypatch.setitem(sys.modules, library, None)
    convert = to_supervision if library == "supervision" else to_fiftyone
    with pytest.raises(ConfigError, match=rf'pip install "zeroseg\[{library}\]"'):
        convert(segmentations()["one pixel"])
