"""Segmentations for the tests of formats: holes, single pixels, whole pictures, none of the labels, many classes."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pycocotools.mask
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from zeroseg.formats import AnnotatedPhoto, Classes

Drawings = tuple[tuple[str, ...], bool, list[np.ndarray]]  # labels, whether there is a background, class maps
NAMES = ("dog", "salt, pepper", "Ampel/traffic light", "ein 'Wort'", "été", "犬", "🐕", "plant pots", "x" * 300)


def annotated(class_map: np.ndarray, classes: Classes, photo: str = "a/b.jpg", score: float = 0.5) -> AnnotatedPhoto:
    """A picture with one score for all labels that occur."""
    scores = dict.fromkeys(range(len(classes.labels)), score)
    return AnnotatedPhoto(photo, classes.segmentation(class_map.astype(np.uint16), scores))


@st.composite
def drawings(draw: st.DrawFn, count: int = 3) -> Drawings:
    """Several small pictures with the same labels; blocks, noise, and pictures of one label alone.

    Plain values for `built`: the checks of shapes in our classes use the random module, which strategies must not.
    """
    has_background = draw(st.booleans())
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=5, unique=True))
    labels = ("background", *names) if has_background else tuple(names)
    found = []
    for _ in range(draw(st.integers(0, count))):
        shape = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
        cell, most = draw(st.sampled_from((1, 2, 4))), draw(st.integers(0, len(labels) - 1))
        few = draw(arrays(np.int64, shape, elements=st.integers(0, most)))
        found.append(np.kron(few, np.ones((cell, cell), int)))
    return labels, has_background, found


def built(drawn: Drawings) -> tuple[Classes, list[AnnotatedPhoto]]:
    """The pictures of `drawings`, with names in several folders."""
    labels, has_background, class_maps = drawn
    classes = Classes(labels, has_background)
    names = [f"holiday {number % 2}/é{number}.jpg" for number in range(len(class_maps))]
    return classes, [annotated(class_map, classes, name) for class_map, name in zip(class_maps, names, strict=True)]


RING = np.array([[1, 1, 1, 1, 1], [1, 0, 0, 0, 1], [1, 0, 1, 0, 1], [1, 0, 0, 0, 1], [1, 1, 1, 1, 1]])
CLASSES = Classes(("background", "dog", "cat"), has_background=True)
MANY = Classes(("background", *(f"label {number}" for number in range(1, 300))), has_background=True)
CASES = {
    "holes with an island": (CLASSES, RING),
    "areas that touch at a corner": (CLASSES, np.array([[1, 0, 2], [0, 1, 0], [2, 0, 1]])),
    "one pixel": (CLASSES, np.array([[2]])),
    "one pixel of many": (CLASSES, np.eye(7, dtype=int)[:1] * 2),
    "a whole picture": (CLASSES, np.ones((4, 6), int)),
    "none of the labels": (CLASSES, np.zeros((5, 3), int)),
    "300 classes": (MANY, np.arange(300).reshape(15, 20)),
    "255 as a class": (MANY, np.array([[255, 0], [255, 256]])),
    "no background": (Classes(("dog", "cat")), np.array([[0, 1, 1], [0, 0, 1]])),
}


def by_pycocotools(encoded: Any) -> np.ndarray:
    """What pycocotools decodes: [H W]. Its arrays lack numpy 2's `copy`, of which numpy warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return pycocotools.mask.decode(encoded).astype(bool)
