"""Background rules: they decide when a pixel is none of the labels. Each rule is a frozen value.

A rule turns the similarities between regions and words into logits, of which the highest wins. It has one threshold,
lists the values of it to try, and describes itself. To add a rule, write a class here and enter it in `RULES`.

| rule | a pixel is background where | from |
|---|---|---|
| `Product` | the product score of every label is under the threshold | GroupViT, the paper |
| `Margin` | no label leads the best background word by the threshold (cosine x 100) | ours |
| `Softmax` | a background word is the most probable, or no label reaches the threshold | SCLIP |
| `Sigmoid` | no label reaches the threshold by itself, or a background word fits better | TCL |
| `NoBackground` | never | |

Letters: R region (a segment, or a patch), W word, C class, K class with the background first where there is one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from zeroseg import scoring
from zeroseg.errors import ConfigError
from zeroseg.method_names import RuleName

MARGINS = tuple(round(-6.0 + 0.5 * k, 1) for k in range(85))  # cosine x 100: -6 .. 36
FRACTIONS = tuple(round(0.025 * k, 3) for k in range(1, 40))  # of a probability: .025 .. .975
Ranges = Mapping[str, tuple[float, float]]
OF_COSINES = (-200.0, 200.0)  # differences of cosines x 100
PROBABILITY = (0.0, 1.0)
SCALE = (0.001, 10_000.0)  # of cosines


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

    def __post_init__(self) -> None:
        for field, saved in self.saved_as.items():
            _check_number(saved, getattr(self, field), *self.ranges[field])

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

    def without_background(self) -> NoBackground:
        """The rule for data sets and vocabularies in which every pixel has a label."""
        return NoBackground()

    def to_json(self) -> dict[str, Any]:
        """Name and fields as saved configs have them: `{"background": "margin", "margin": 7.0}`."""
        values = {saved: getattr(self, field) for field, saved in self.saved_as.items()}
        return {"background": self.name} | {k: value for k, value in values.items() if self.unsaved.get(k) != value}


@dataclass(frozen=True)
class Product(BackgroundRule):
    """GroupViT's product score (the paper's rule). The best region of an image keeps its label, whatever the threshold.

    Threshold: a probability, 0..1.
    """

    threshold: float = 0.95

    name: ClassVar[RuleName] = "product"
    candidates: ClassVar[tuple[float, ...]] = FRACTIONS
    saved_as: ClassVar[Mapping[str, str]] = {"threshold": "product_threshold"}
    ranges: ClassVar[Ranges] = {"threshold": PROBABILITY}

    def logits(self, scores: ClassScores) -> Float[Tensor, "R K"]:
        """Product scores, and the threshold as the background's."""
        product = scoring.product_score(scores.labels, scores.image)
        return scoring.with_product_background(product, self.threshold)

    def describe(self) -> str:
        """The rule in words."""
        return f"product score under {self.threshold:g} (GroupViT's)"


@dataclass(frozen=True)
class Margin(BackgroundRule):
    """The best label must score higher than the best background word by at least the threshold (cosine x 100).

    Labels that are also background words get the threshold added to their scores. Without background words the
    threshold is the score that a label must reach. A label is absent from an image in which no region has it higher by
    the threshold and `presence`: one sure region lets the others in, as in a threshold with hysteresis (Canny 1986).
    """

    threshold: float = 0.0
    presence: float = 0.0

    name: ClassVar[RuleName] = "margin"
    candidates: ClassVar[tuple[float, ...]] = MARGINS
    saved_as: ClassVar[Mapping[str, str]] = {"threshold": "margin", "presence": "presence"}
    ranges: ClassVar[Ranges] = {"threshold": OF_COSINES, "presence": (0.0, OF_COSINES[1])}
    unsaved: ClassVar[Mapping[str, float]] = {"presence": 0.0}

    def logits(self, scores: ClassScores) -> Float[Tensor, "R K"]:
        """Scores as soft probabilities, which may be averaged over places."""
        labels = scores.labels + scoring.label_offsets(scores.is_stuff, self.threshold)
        every = scoring.with_margin_background(labels, scores.background, self.threshold)
        return scoring.probabilities(scoring.without_absent(every, self.presence, scores.is_stuff))

    def describe(self) -> str:
        """The rule in words."""
        presence = f"; labels are absent that nowhere exceed it by {self.presence:g} more" if self.presence else ""
        return f"best label under the best background word + {self.threshold:g} (cosine x 100){presence}"

    def without_background(self) -> NoBackground:
        """Labels that are background words keep the margin that is added to their scores."""
        return NoBackground(self.threshold)


@dataclass(frozen=True)
class Softmax(BackgroundRule):
    """Probabilities of all words, background words among them: softmax of `scale` x cosine (SCLIP).

    Threshold: a probability, 0..1.
    """

    threshold: float = 0.1
    scale: float = 40.0

    name: ClassVar[RuleName] = "softmax"
    candidates: ClassVar[tuple[float, ...]] = FRACTIONS
    saved_as: ClassVar[Mapping[str, str]] = {"threshold": "threshold", "scale": "softmax_scale"}
    ranges: ClassVar[Ranges] = {"threshold": PROBABILITY, "scale": SCALE}

    def class_scores(
        self, similarities: Float[Tensor, "R1 W"], class_ids: Sequence[int], is_stuff: Bool[Tensor, " C"]
    ) -> ClassScores:
        """The probability of the most probable word of each class; 0 for the background if it has no word."""
        found = super().class_scores(scoring.softmax_score(similarities, self.scale), class_ids, is_stuff)
        return replace(found, background=found.background.clamp(min=0))

    def logits(self, scores: ClassScores) -> Float[Tensor, "R K"]:
        """Probabilities; the background's is never under the threshold."""
        return scoring.with_level_background(scores.labels, scores.background, self.threshold)

    def probabilities(self, scores: ClassScores) -> Float[Tensor, "R K"]:
        """The scores, which are probabilities."""
        return torch.cat([scores.background[:, None], scores.labels], dim=1)

    def describe(self) -> str:
        """The rule in words."""
        return f"a background word is most probable, or nothing reaches {self.threshold:g} (SCLIP's)"


@dataclass(frozen=True)
class Sigmoid(BackgroundRule):
    """Each label independently: sigmoid of `slope` x (cosine - `middle`). The defaults are TCL's.

    Threshold: a probability, 0..1. `of_teacher` takes slope and middle from a teacher that was trained with sigmoids.
    """

    threshold: float = 0.5
    slope: float = 10.0
    middle: float = 0.25

    name: ClassVar[RuleName] = "sigmoid"
    candidates: ClassVar[tuple[float, ...]] = FRACTIONS
    saved_as: ClassVar[Mapping[str, str]] = {
        "threshold": "sigmoid_threshold", "slope": "sigmoid_slope", "middle": "sigmoid_middle",
    }  # fmt: skip
    ranges: ClassVar[Ranges] = {"threshold": PROBABILITY, "slope": SCALE, "middle": (-10.0, 10.0)}
    unsaved: ClassVar[Mapping[str, float]] = {"sigmoid_slope": 10.0, "sigmoid_middle": 0.25}

    @classmethod
    def of_teacher(cls, logit_scale: float, logit_bias: float, threshold: float = 0.5) -> Sigmoid:
        """SigLIP's own probability, sigmoid of (scale x cosine + bias)."""
        return cls(threshold, logit_scale, -logit_bias / logit_scale)

    def logits(self, scores: ClassScores) -> Float[Tensor, "R K"]:
        """Probabilities; the background's is never under the threshold."""
        labels, background = (
            scoring.sigmoid_score(some, self.slope, self.middle) for some in (scores.labels, scores.background)
        )
        return scoring.with_level_background(labels, background, self.threshold)

    def describe(self) -> str:
        """The rule in words."""
        whose = "TCL's" if (self.slope, self.middle) == (10.0, 0.25) else "the teacher's own scale"
        return f"no label reaches {self.threshold:g}, or a background word fits better ({whose})"


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


RULES: dict[str, type[BackgroundRule]] = {rule.name: rule for rule in (Product, Margin, Softmax, Sigmoid, NoBackground)}


def rule_named(name: str, own: BackgroundRule | None = None) -> BackgroundRule:
    """A rule by name: `own` if it has that name, else one with the default threshold.

    "none" keeps the offset that `own` gives to stuff. Raises `ConfigError` for an unknown name.
    """
    if name not in RULES:
        raise ConfigError(f"there is no background rule {name!r}: choose one of {', '.join(RULES)}.")
    if own is not None and name in (own.name, NoBackground.name):
        return own if name == own.name else own.without_background()
    return RULES[name]()


def rule_from_json(values: Mapping[str, Any]) -> BackgroundRule:
    """A rule from a saved config's flat table (`BackgroundRule.to_json`), which may have entries of other rules, too.

    Raises `ConfigError` for an unknown name.
    """
    rule = rule_named(str(values.get("background", Product.name)))
    given = {f.name: values[rule.saved_as[f.name]] for f in fields(rule) if rule.saved_as[f.name] in values}
    for field, value in given.items():
        _check_number(rule.saved_as[field], value, *rule.ranges[field])
    return replace(rule, **given)


def _check_number(name: str, value: object, least: float, greatest: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= greatest:
        raise ConfigError(f"{name} must be a number from {least:g} to {greatest:g}, not {value!r}.")
