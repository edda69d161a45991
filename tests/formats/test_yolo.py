"""YOLO's files: exact on large pictures, `data.yaml` for any label, and what Ultralytics itself writes."""

from __future__ import annotations

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.formats.pictures import CLASSES, NAMES, RING, annotated
from zeroseg.errors import DatasetError
from zeroseg.formats import PICTURE_FORMATS, Classes
from zeroseg.segmentation import BACKGROUND

KIND = PICTURE_FORMATS["yolo"]
LARGEST = 100_000  # pixels a side


def test_lines_are_classes_and_corners() -> None:
    """The background has no number, and the file of a picture without labels is empty."""
    assert KIND.encode(annotated(np.array([[0, 0, 2], [0, 0, 2]]), CLASSES)) == b"1 0.666667 0 1 0 1 1 0.666667 1\n"
    assert KIND.encode(annotated(np.zeros((2, 2)), CLASSES)) == b""
    assert KIND.encode(annotated(np.array([[1]]), Classes(("dog", "cat")))) == b"1 0 0 1 0 1 1 0 1\n"
    (ring, island) = KIND.encode(annotated(RING, CLASSES)).decode().splitlines()
    assert len(ring.split()) == 1 + 2 * (4 + 4 + 2)  # there and back again
    assert island == "0 0.4 0.4 0.6 0.4 0.6 0.6 0.4 0.6"


@given(st.integers(1, LARGEST), st.data())
@settings(deadline=None)
def test_large_pictures_are_exact(side: int, data: st.DataObject) -> None:
    """A strip as long as a side, with a few areas of one pixel up to the whole."""
    places = sorted(data.draw(st.sets(st.integers(0, side), max_size=6)))
    strip = np.zeros((1, side), np.uint16)
    for number, place in enumerate(places):
        strip[0, place:] = number % 3
    for class_map in (strip, strip.T):
        one = annotated(class_map, CLASSES)
        read = KIND.decode(KIND.encode(one), CLASSES, one.segmentation.size)
        assert (read.segmentation.class_map == class_map).all()


def test_every_corner_of_the_largest_side_stays_in_place() -> None:
    """A comb with a tooth on every second pixel: corners are exact to a tenth of a pixel, and so all centres are."""
    comb = np.ones((2, LARGEST), int)
    comb[0, ::2] = 0
    one = annotated(comb, CLASSES)
    (line,) = KIND.encode(one).splitlines()
    places = np.array(line.split()[1::2], float) * LARGEST
    assert np.abs(places - places.round()).max() < 0.1
    assert len(np.unique(places.round())) == LARGEST + 1
    assert (KIND.decode(line, CLASSES, one.segmentation.size).segmentation.class_map == comb).all()


ANY = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300).filter(
    lambda label: label.strip() and label != BACKGROUND
)


def labels_of(classes: Classes) -> dict[int, str]:
    """The names in `data.yaml`."""
    values = yaml.safe_load(KIND.companions(classes)["data.yaml"].decode())
    assert (values["train"], values["val"]) == ("images", "images")
    return values["names"]


@given(st.lists(ANY, min_size=1, max_size=4, unique=True), st.booleans())
@settings(deadline=None)
def test_labels_are_kept_in_yaml(names: list[str], has_background: bool) -> None:
    """Any letters: quotes, colons, control characters, line breaks; PyYAML reads the same."""
    classes = Classes.besides_background(names) if has_background else Classes(tuple(names))
    assert labels_of(classes) == dict(enumerate(names))


def test_hard_labels_in_yaml() -> None:
    """Words that mean something else in YAML, and those of the other tests."""
    names = [*NAMES, "no", "1", "~", "a: b # c", "{x}", "- y", "\x85\u2028\ufeff\x7f", 'say "no"\\']
    assert labels_of(Classes.besides_background(names)) == dict(enumerate(names))
    assert labels_of(Classes.besides_background([])) is None


def test_lines_of_other_tools() -> None:
    """A score at the end, empty lines, classes as 1.0, corners that are no pixels'."""
    content = b"1.0 0.1 0.1 0.9 0.1 0.9 0.9 0.1 0.9 0.75\r\n\n   \n0 0 0 0.55 0 0.55 0.5 0 0.5\n"
    found = KIND.decode(content, CLASSES, (4, 2)).segmentation
    assert found.class_map.tolist() == [[1, 1, 2, 2], [2, 2, 2, 2]]
    assert found.scores.tolist() == [0, 1, 0.75]
    assert KIND.decode(b"", CLASSES, (4, 2)).segmentation.present == ("background",)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"0 0.5 0.5 0.2 0.2\n", "no class and polygon"),
        (b"0\n", "no class and polygon"),
        (b"0.5 0 0 1 0 1 1\n", "no class and polygon"),
        (b"-1 0 0 1 0 1 1\n", "no class and polygon"),
        (b"2 0 0 1 0 1 1\n", "class 3, which is not declared"),
        (b"0 0 0 1 0 1 nan\n", "not finite"),
        (b"nan 0 0 1 0 1 1\n", "NaN"),
        (b"inf 0 0 1 0 1 1\n", "infinity"),
        (b"0 0 0 1 0 1 1 nan\n", "finite"),
        (b"dog 0 0 1 0 1 1\n", "could not convert"),
        (b"\xff\n", "invalid start byte"),
    ],
)
def test_malformed_lines_are_refused(content: bytes, why: str) -> None:
    """In one sentence."""
    with pytest.raises(DatasetError, match=f"a file of YOLO is malformed or of other classes .*{why}"):
        KIND.decode(content, CLASSES, (4, 2))


def test_without_background_every_pixel_needs_a_label() -> None:
    """An empty file says nothing of them."""
    with pytest.raises(DatasetError, match="pixels without a label, and no background"):
        KIND.decode(b"", Classes(("dog",)), (4, 2))
