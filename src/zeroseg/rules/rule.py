"""What all background rules share, and the rule that has no background.

Letters: R region (a segment, a patch, or a pixel), W word, C class, K class with the background first where there is
one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from zeroseg import scoring
from zeroseg.errors import ConfigError
from zeroseg.method_names import RuleName

MARGINS = tuple(round(-6.0 + 0.5 * k, 1) for k in range(85))  # cosine x 100: -6 .. 36
Ranges = Mapping[str, tuple[float, float]]
OF_COSINES = (-200.0, 200.0)  # differences of cosines x 100


@dataclass(frozen=True)
class ClassScores:
    """The score of the best word of each class in each region, in the unit of the rule (cosine x 100, or 0..1)."""

    labels: Float[Tensor, "R C"]
    background: Float[Tensor, " R"]  # of the best background word; -inf (as a probability 0) if there is none
    image: Float[Tensor, " C"]  # of the labels, for the whole image
    is_stuff: Bool[Tensor, " C"]  # labels that are also background words of the read-out


@dataclass(frozen=True)
class BackgroundRule(ABC):
    """The interface of all rules. `threshold`: a region whose labels score below it is background.

    Raises `ConfigError` for values that are not numbers in the range of their field.
    """

    threshold: float = 0.0

    name: ClassVar[RuleName]
    has_background: ClassVar[bool] = True
    candidates: ClassVar[tuple[float, ...]]
    """Thresholds to try, in order, in a search for the best one."""
    saved_as: ClassVar[Mapping[str, str]]
    """The names of the rule's fields in saved configs, which have one flat table for all rules."""
    ranges: ClassVar[Ranges] = {"threshold": OF_COSINES}
    """The least and the greatest value of each field."""
    unsaved: ClassVar[Mapping[str, float]] = {}
    """Values, by their saved names, that are not saved: fields that older configs do not have, at their defaults."""

    @property
    def sees_whole_picture(self) -> bool:
        """Whether the logits of a region depend on the other regions: then all must be given at once."""
        return False

    def __post_init__(self) -> None:
        for field, saved in self.saved_as.items():
            check_number(saved, getattr(self, field), *self.ranges[field])

    def class_scores(
        self, similarities: Float[Tensor, "R1 W"], class_ids: Sequence[int], is_stuff: Bool[Tensor, " C"]
    ) -> ClassScores:
        """The scores of the best word of each class.

        `similarities`: cosines x 100; the last row is the whole image. `class_ids`: the class of each word, 0 .. C - 1;
        -1 for background words. `is_stuff`: see `ClassScores`.
        """
        labels, background = scoring.best_words(similarities, class_ids, len(is_stuff))
        return ClassScores(labels[:-1], background[:-1], labels[-1], is_stuff)

    @abstractmethod
    def logits(self, scores: ClassScores) -> Float[Tensor, "R K"]:
        """The logits of each class in each region; the highest wins. The background, if any, is the first column."""

    def probabilities(self, scores: ClassScores) -> Float[Tensor, "R K"]:
        """The probability of each class in each region, 0..1: a softmax at CLIP's scale."""
        return torch.cat([scores.background[:, None], scores.labels], dim=1).softmax(dim=1)

    @abstractmethod
    def describe(self) -> str:
        """The rule in words."""

    def at(self, threshold: float) -> BackgroundRule:
        """The same rule with another threshold."""
        return replace(self, threshold=threshold)

    def without_background(self) -> BackgroundRule:
        """The rule for data sets and vocabularies in which every pixel has a label."""
        return NoBackground()

    def to_json(self) -> dict[str, Any]:
        """Name and fields as saved configs have them: `{"background": "margin", "margin": 7.0}`."""
        values = {saved: getattr(self, field) for field, saved in self.saved_as.items()}
        return {"background": self.name} | {k: value for k, value in values.items() if self.unsaved.get(k) != value}


@dataclass(frozen=True)
class NoBackground(BackgroundRule):
    """Every pixel gets a label. Threshold: added to scores of labels that are also background words (cosine x 100)."""

    threshold: float = 0.0

    name: ClassVar[RuleName] = "none"
    has_background: ClassVar[bool] = False
    candidates: ClassVar[tuple[float, ...]] = MARGINS
    saved_as: ClassVar[Mapping[str, str]] = {"threshold": "margin"}

    def logits(self, scores: ClassScores) -> Float[Tensor, "R K"]:
        """Scores as soft probabilities, which may be averaged over places."""
        return scoring.probabilities(scores.labels + scoring.label_offsets(scores.is_stuff, self.threshold))

    def probabilities(self, scores: ClassScores) -> Float[Tensor, "R K"]:
        """A softmax over the labels alone."""
        return scores.labels.softmax(dim=1)

    def describe(self) -> str:
        """The rule in words."""
        offset = f"; {self.threshold:g} is added to labels for stuff (cosine x 100)" if self.threshold else ""
        return f"none, every pixel is named{offset}"

    def without_background(self) -> NoBackground:
        """The rule itself."""
        return self


def check_number(name: str, value: object, least: float, greatest: float) -> None:
    """Raise `ConfigError` for what is no number from `least` to `greatest`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= greatest:
        raise ConfigError(f"{name} must be a number from {least:g} to {greatest:g}, not {value!r}.")
