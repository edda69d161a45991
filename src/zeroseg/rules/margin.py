"""Our rule: a margin between labels and background words.

Letters: R region, K class with the background first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from zeroseg import scoring
from zeroseg.method_names import RuleName
from zeroseg.rules.rule import MARGINS, OF_COSINES, BackgroundRule, ClassScores, NoBackground, Ranges


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

    @property
    def sees_whole_picture(self) -> bool:
        """With `presence`, a label may be absent from the picture."""
        return self.presence > 0

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
