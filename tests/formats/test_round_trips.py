"""Every format gives back the pixels, the labels in their own spelling, and the names of the photos."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from tests.formats.pictures import CASES, Drawings, annotated, built, drawings
from zeroseg.formats import DATASET_FORMATS, PICTURE_FORMATS, AnnotatedPhoto, Classes


def assert_same(read: AnnotatedPhoto, written: AnnotatedPhoto, whole: bool = True) -> None:
    """Raise `AssertionError` for another picture; `whole`: with the photo's name and the order of the labels."""
    found, expected = read.segmentation, written.segmentation
    names, own = np.array(found.labels), np.array(expected.labels)
    assert (names[found.class_map] == own[expected.class_map]).all()
    if whole:
        assert (read.photo, found.labels, found.has_background) == (
            written.photo,
            expected.labels,
            expected.has_background,
        )


def read_back(name: str, one: AnnotatedPhoto) -> AnnotatedPhoto:
    """A picture that was written as a file and read again."""
    kind = PICTURE_FORMATS[name]
    return kind.decode(kind.encode(one), Classes.of(one.segmentation), one.segmentation.size)


@pytest.mark.parametrize("name", PICTURE_FORMATS)
@pytest.mark.parametrize("case", CASES)
def test_files_of_single_pictures(name: str, case: str) -> None:
    """Hard pictures by name."""
    classes, class_map = CASES[case]
    one = annotated(class_map, classes)
    assert_same(read_back(name, one), one, whole=False)


@pytest.mark.parametrize("name", PICTURE_FORMATS)
@given(drawn=drawings())
@settings(max_examples=30, deadline=None)
def test_any_single_picture(name: str, drawn: Drawings) -> None:
    """Blocks, noise, empty pictures; names with commas, slashes, accents, emoji, 300 letters."""
    for one in built(drawn)[1]:
        assert_same(read_back(name, one), one, whole=False)


@pytest.mark.parametrize("name", DATASET_FORMATS)
@pytest.mark.parametrize("case", CASES)
def test_data_sets_of_one_picture(name: str, case: str, tmp_path: Path) -> None:
    """Hard pictures by name."""
    classes, class_map = CASES[case]
    one, kind = annotated(class_map, classes), DATASET_FORMATS[name]
    kind.write(tmp_path, classes, [one])
    (read,) = kind.read(tmp_path)
    assert_same(read, one)


@pytest.mark.parametrize("name", DATASET_FORMATS)
@given(drawn=drawings())
@settings(max_examples=30, deadline=None)
def test_any_data_set(name: str, drawn: Drawings) -> None:
    """No picture, one, or several; also pictures in which no label occurs."""
    classes, some = built(drawn)
    with tempfile.TemporaryDirectory() as folder:
        DATASET_FORMATS[name].write(Path(folder), classes, iter(some))
        read = list(DATASET_FORMATS[name].read(Path(folder)))
    assert len(read) == len(some)
    for one, other in zip(read, some, strict=True):
        assert_same(one, other)
