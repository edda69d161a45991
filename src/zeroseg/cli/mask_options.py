"""Options of masks: how pixels get names, and what becomes of small areas."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from tyro.conf import UseAppendAction, arg

import zeroseg
from zeroseg.cli.messages import UsageError
from zeroseg.cli.parsing import check_fraction, check_iterations
from zeroseg.method_names import Naming, RuleName

NOT_BY_THRESHOLD = ("margin", "none", "top5")  # the threshold of all other rules is a probability
OWN = "(default: the model's own)"


@dataclass(frozen=True)
class MaskOptions:
    """Changes of the model's own read-out."""

    background: Annotated[RuleName | None, arg(help_behavior_hint=OWN)] = None
    """When a pixel is none of the labels: GroupViT's product score is under --threshold (product, the paper's); the
    best label does not exceed the best background word by --margin (margin); a background word is most probable, or no
    label reaches --threshold (softmax, SCLIP's); no label reaches --threshold by itself, or a background word fits
    better (sigmoid, TCL's); never (none; top5: by GroupViT's score)."""
    threshold: Annotated[float | None, arg(help_behavior_hint=OWN)] = None
    """0 to 1, for product, softmax or sigmoid; then --background is product if it is not given."""
    margin: Annotated[float | None, arg(help_behavior_hint=OWN)] = None
    """Cosine times 100; then --background is margin."""
    presence: Annotated[float | None, arg(help_behavior_hint=OWN)] = None
    """With the rule margin: labels that nowhere in a photo exceed the margin by this (cosine times 100) are absent."""
    naming: Annotated[Naming | None, arg(help_behavior_hint=OWN)] = None
    """Whether a pixel takes the name of its segment (the paper's) or of its patch."""
    refinement: Annotated[
        int | None, arg(metavar="ITERATIONS", help_behavior_hint="(default: the model's own; 10 for a teacher)")
    ] = None
    """Iterations of refinement, in which the masks follow the photo's edges; 0 for none (the paper's)."""
    min_area: Annotated[float | None, arg(help_behavior_hint="(default: the model's own; 0.0005 if it has none)")] = (
        None
    )
    """Smaller areas, which refinement leaves on textures, take the label around them; a fraction of the picture."""
    background_words: UseAppendAction[Annotated[tuple[str, ...], arg(metavar="WORDS", help_behavior_hint=OWN)]] = ()
    """Words that compete with the labels for the background, separated by commas; "" for none."""

    def check(self) -> None:
        """Raise `UsageError` for values that are out of range, or do not fit the background rule."""
        check_iterations(self.refinement)
        check_fraction("--min-area", self.min_area)
        for option, value in (("--margin", self.margin), ("--presence", self.presence)):
            if value is not None and (self.threshold is not None or self.background not in (None, "margin")):
                raise UsageError(f"{option} goes with --background margin: leave --threshold and other rules out.")
        if self.threshold is not None and self.background in NOT_BY_THRESHOLD:
            raise UsageError(f"--threshold does not go with --background {self.background}: choose another rule.")
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise UsageError(f"--threshold must be a number from 0 to 1, not {self.threshold:g}.")

    def over(self, segmenter: zeroseg.Segmenter) -> zeroseg.Segmenter:
        """The segmenter with the changes that are given here, and without specks."""
        from zeroseg.vocabulary import parse_labels

        words, smallest = self.background_words, segmenter.read_out.without_specks().smallest_region
        name, threshold = self.background, self.threshold if self.margin is None else self.margin
        if name is None and (threshold is not None or self.presence is not None):
            name = "product" if self.margin is None and self.presence is None else "margin"
        rule = segmenter.read_out.background if name is None else segmenter.rule(name)
        rule = rule if threshold is None else rule.at(threshold)
        changes = {
            "naming": self.naming,
            "background": rule if self.presence is None else replace(rule, presence=self.presence),
            "refinement": self.refinement,
            "smallest_region": smallest if self.min_area is None else self.min_area,
            "background_words": tuple(word for line in words for word in parse_labels(line)) if words else None,
        }
        return segmenter.reading(**{name: value for name, value in changes.items() if value is not None})
