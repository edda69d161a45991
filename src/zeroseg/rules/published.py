"""The rules of the literature: GroupViT's, SCLIP's and TCL's.

Letters: R region (a segment, a patch, or a pixel), W word, C class, K class with the background first where there is
one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from zeroseg import scoring
from zeroseg.method_names import RuleName
from zeroseg.rules.rule import BackgroundRule, ClassScores, NoBackground, Ranges

FRACTIONS = tuple(round(0.025 * k, 3) for k in range(1, 40))  # of a probability: .025 .. .975
PROBABILITY = (0.0, 1.0)
SCALE = (0.001, 10_000.0)  # of cosines


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

    @property
    def sees_whole_picture(self) -> bool:
        """The best region of a picture keeps its label."""
        return True

    def logits(self, scores: ClassScores) -> Float[Tensor, "R K"]:
        """Product scores, and the threshold as the background's."""
        product = scoring.product_score(scores.labels, scores.image)
        return scoring.with_product_background(product, self.threshold)

    def describe(self) -> str:
        """The rule in words."""
        return f"product score under {self.threshold:g} (GroupViT's)"

    def without_background(self) -> Top5:
        """The score without a threshold."""
        return Top5()


@dataclass(frozen=True)
class Top5(NoBackground):
    """GroupViT's product score without a threshold: every pixel gets one of the image's five best labels."""

    name: ClassVar[RuleName] = "top5"

    def logits(self, scores: ClassScores) -> Float[Tensor, "R K"]:
        """Product scores."""
        labels = scores.labels + scoring.label_offsets(scores.is_stuff, self.threshold)
        return scoring.product_score(labels, scores.image)

    def describe(self) -> str:
        """The rule in words."""
        return f"{super().describe()}; one of the image's five best labels (GroupViT's)"


@dataclass(frozen=True)
class Softmax(BackgroundRule):
    """Probabilities of all words, background words among them: softmax of `scale` x cosine (SCLIP).

    Threshold: a probability, 0..1. `area`: labels that win at most this fraction of all regions that a label wins are
    taken out, 0..1; then the other labels and the background share their regions.
    """

    threshold: float = 0.1
    scale: float = 40.0
    area: float = 0.0

    name: ClassVar[RuleName] = "softmax"
    candidates: ClassVar[tuple[float, ...]] = FRACTIONS
    saved_as: ClassVar[Mapping[str, str]] = {
        "threshold": "threshold", "scale": "softmax_scale", "area": "softmax_area",
    }  # fmt: skip
    ranges: ClassVar[Ranges] = {"threshold": PROBABILITY, "scale": SCALE, "area": PROBABILITY}
    unsaved: ClassVar[Mapping[str, float]] = {"softmax_area": 0.0}

    @property
    def sees_whole_picture(self) -> bool:
        """Areas are counted over the whole picture."""
        return self.area > 0

    def class_scores(
        self, similarities: Float[Tensor, "R1 W"], class_ids: Sequence[int], is_stuff: Bool[Tensor, " C"]
    ) -> ClassScores:
        """The probability of the most probable word of each class; 0 for the background if it has no word."""
        found = super().class_scores(scoring.softmax_score(similarities, self.scale), class_ids, is_stuff)
        return replace(found, background=found.background.clamp(min=0))

    def logits(self, scores: ClassScores) -> Float[Tensor, "R K"]:
        """Probabilities; the background's is never under the threshold."""
        labels = scoring.without_small_classes(scores.labels, scores.background, self.area)
        return scoring.with_level_background(labels, scores.background, self.threshold)

    def probabilities(self, scores: ClassScores) -> Float[Tensor, "R K"]:
        """The scores, which are probabilities."""
        return torch.cat([scores.background[:, None], scores.labels], dim=1)

    def describe(self) -> str:
        """The rule in words."""
        small = f"; labels with at most {self.area:g} of the labelled area are taken out" if self.area else ""
        return f"a background word is most probable, or nothing reaches {self.threshold:g} (as in SCLIP){small}"


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
