"""The result of segmenting one picture, as a value that is validated when it is created.

Shapes: H, W picture height and width; C labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float32, Float64, UInt16

from zeroseg.errors import VocabularyError

BACKGROUND = "background"
MAX_LABELS = 65_536  # as many as a uint16 can count
IGNORE = 65_535  # in a map of true classes (uint16): pixels that are left out. No class has this number
NAMED_IN_ERROR = 12
COUNTED_AT_ONCE = 1 << 22  # bincount makes an int64 copy of what it counts


@dataclass(frozen=True, eq=False, repr=False)
class Segmentation:
    """One label for every pixel of a picture, and a score for each label.

    Attributes:
        labels: C distinct, non-empty names. With `has_background` the first is "background".
        class_map: [H W] indices into `labels` at the picture's own size. Any integer array is
            accepted; it is stored as uint16 and read-only.
        scores: [C] in 0..1: mean probability over the regions that have the label, 0 if no pixel
            has it. Any floating array is accepted; it is stored as float32 and read-only.
        has_background: whether index 0 means "none of the labels".

    Raises:
        ValueError: if shapes, types, ranges or names do not fit together.
    """

    labels: tuple[str, ...]
    class_map: np.ndarray  # __post_init__ checks shape and type, with clear messages
    scores: np.ndarray
    has_background: bool = False

    def __post_init__(self) -> None:
        """Check everything and freeze the arrays."""
        object.__setattr__(self, "labels", _checked_labels(self.labels, self.has_background))
        object.__setattr__(self, "class_map", _checked_class_map(self.class_map, len(self.labels)))
        object.__setattr__(self, "scores", _checked_scores(self.scores, self.fractions))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, in Pillow's order."""
        height, width = self.class_map.shape
        return width, height

    @cached_property
    def fractions(self) -> Float64[np.ndarray, " C"]:
        """Fraction of the picture's pixels under each label, in 0..1; they sum to 1."""
        pixels = np.zeros(len(self.labels), dtype=np.int64)
        for start in range(0, self.class_map.size, COUNTED_AT_ONCE):
            some = self.class_map.reshape(-1)[start : start + COUNTED_AT_ONCE]
            pixels += np.bincount(some, minlength=len(self.labels))
        fractions = pixels / self.class_map.size
        fractions.setflags(write=False)
        return fractions

    @property
    def shares(self) -> Float64[np.ndarray, " C"]:
        """Former name of `fractions`."""
        return self.fractions

    @property
    def present_indices(self) -> tuple[int, ...]:
        """Indices of the labels that occur, largest area first; equal areas in label order."""
        order = np.argsort(-self.fractions, kind="stable")
        return tuple(int(index) for index in order if self.fractions[index] > 0)

    @property
    def present(self) -> tuple[str, ...]:
        """Names of the labels that occur, largest area first; equal areas in label order."""
        return tuple(self.labels[index] for index in self.present_indices)

    @property
    def absent(self) -> tuple[str, ...]:
        """Names of the labels that do not occur, in label order; the background is not one of them."""
        present = set(self.present_indices)
        names = enumerate(self.labels)
        return tuple(name for index, name in names if index not in present and not (index == 0 and self.has_background))

    def mask(self, label: str) -> Bool[np.ndarray, "H W"]:
        """The pixels of `label`; all False if it does not occur.

        Raises:
            VocabularyError: if `label` is not one of `labels`.
        """
        if label not in self.labels:
            raise VocabularyError(f"There is no label {label!r} here; known are {_some(self.labels)}.")
        return self.class_map == self.labels.index(label)

    def rows(self, colours: Sequence[str] = ()) -> list[dict[str, str | int | float]]:
        """In label order each label's index, name, fraction, score and, if given, colour: plain values."""
        coloured = [{"colour": colour} for colour in colours] or [{}] * len(self.labels)
        values = zip(self.labels, self.fractions.tolist(), self.scores.tolist(), coloured, strict=True)
        return [
            {"index": index, "label": label, "fraction": round(fraction, 6), "score": round(score, 6), **colour}
            for index, (label, fraction, score, colour) in enumerate(values)
        ]

    def summary(self, colours: Sequence[str] = ()) -> dict[str, object]:
        """Size, whether there is a background, and the `rows` of all labels, for `json.dumps`."""
        width, height = self.size
        return {"width": width, "height": height, "has_background": self.has_background, "labels": self.rows(colours)}

    def __repr__(self) -> str:
        """Size, number of labels and the three largest with their fractions."""
        width, height = self.size
        shown = [f"{self.labels[i]} {percentage(self.fractions[i])}" for i in self.present_indices[:3]]
        more = "" if len(self.present_indices) <= len(shown) else ", ..."
        return f"Segmentation({width}x{height}, {len(self.labels)} labels: {', '.join(shown)}{more})"


def percentage(fraction: float) -> str:
    """A fraction of a picture in words: "12%", and "< 1%" for what would be rounded to nothing."""
    rounded = f"{fraction:.0%}"
    return "< 1%" if fraction and rounded == "0%" else rounded


def _some(labels: tuple[str, ...]) -> str:
    named = ", ".join(repr(label) for label in labels[:NAMED_IN_ERROR])
    unnamed = len(labels) - NAMED_IN_ERROR
    return named if unnamed <= 0 else f"{named} and {unnamed} more"


def _checked_labels(labels: tuple[str, ...], has_background: bool) -> tuple[str, ...]:
    labels = tuple(labels)
    if not 1 <= len(labels) <= MAX_LABELS:
        raise ValueError(f"labels must be 1 to {MAX_LABELS} names, not {len(labels)}.")
    if not all(label.strip() for label in labels):
        raise ValueError("labels must not be empty.")
    if len(set(labels)) < len(labels):
        repeated = next(label for label in labels if labels.count(label) > 1)
        raise ValueError(f"labels must be distinct, but {repeated!r} occurs more than once.")
    if has_background and labels[0] != BACKGROUND:
        raise ValueError(f"with has_background the first label must be {BACKGROUND!r}, not {labels[0]!r}.")
    return labels


def _checked_class_map(class_map: np.ndarray, label_count: int) -> UInt16[np.ndarray, "H W"]:
    if class_map.ndim != 2 or class_map.size == 0:
        raise ValueError(f"class_map must be a non-empty [H W] array, not of shape {class_map.shape}.")
    if not np.issubdtype(class_map.dtype, np.integer):
        raise ValueError(f"class_map must hold integers, not {class_map.dtype}.")
    low, high = int(class_map.min()), int(class_map.max())
    if low < 0 or high >= label_count:
        raise ValueError(f"class_map must lie in 0..{label_count - 1}, but runs from {low} to {high}.")
    frozen = class_map.astype(np.uint16, order="C")
    frozen.setflags(write=False)
    return frozen


def _checked_scores(scores: np.ndarray, fractions: Float64[np.ndarray, " C"]) -> Float32[np.ndarray, " C"]:
    if scores.shape != fractions.shape:
        raise ValueError(f"scores must be one number a label, [{len(fractions)}], not {list(scores.shape)}.")
    if not np.issubdtype(scores.dtype, np.floating):
        raise ValueError(f"scores must be floating, not {scores.dtype}.")
    if not np.isfinite(scores).all():
        raise ValueError("scores must be finite.")
    if scores.min() < 0 or scores.max() > 1:
        raise ValueError(f"scores must lie in 0..1, but run from {scores.min():g} to {scores.max():g}.")
    if scores[fractions == 0].any():
        raise ValueError("scores must be 0 for labels that no pixel carries.")
    frozen = scores.astype(np.float32)
    frozen.setflags(write=False)
    return frozen
