"""The options of a read-out: its saved form, in which the threshold of each rule has its own name."""

from __future__ import annotations

from typing import Any

from tyro.constructors import ConstructorRegistry, StructConstructorSpec, StructFieldSpec, StructTypeInfo

from zeroseg.method_names import Naming, RuleName
from zeroseg.rules import RULES, rule_from_json
from zeroseg.student.config import ReadOut

TYPES: dict[str, Any] = {
    "naming": Naming,
    "background": RuleName,
    "keep_mean": bool,
    "background_words": tuple[str, ...],
    "background_things": tuple[str, ...],
    "refinement": int,
    "smallest_region": float,
}  # all others are thresholds and scales
HELP = {
    "naming": "Whether a pixel takes the name of its segment (the paper's) or of its patch.",
    "background": "When a pixel is none of the labels (see `zeroseg segment --help`).",
    "margin": "Of the rule margin; under none, the offset of labels for stuff. Cosine x 100.",
    "presence": "Of the rule margin: how much more than the margin a label must lead by somewhere in a picture.",
    "threshold": "Of the rule softmax.",
    "keep_mean": "Whether embeddings keep the teacher's mean when they are compared with words.",
    "background_words": "Words for the background.",
    "background_things": "Those of them that are things: labels for them are no stuff.",
    "alike": "Background words whose cosine with a label exceeds this stand down for it; 1: none.",
    "refinement": "Iterations in which masks follow the picture's edges.",
    "present_above": "Labels that stand out from other words by less are absent, standard deviations.",
    "smallest_region": "Smaller areas, as fractions of the picture, take the class around them.",
}

REGISTRY = ConstructorRegistry()


@REGISTRY.struct_rule
def read_out_options(info: StructTypeInfo) -> StructConstructorSpec | None:
    """A read-out from flat options, as configs are saved."""
    if info.type is not ReadOut:
        return None
    default = info.default if isinstance(info.default, ReadOut) else ReadOut()
    presence = getattr(default.background, "presence", 0.0)
    names = ("smallest_region", "alike", "background_things", "present_above")
    seldom = {name: getattr(default, name) for name in names} | {"presence": presence}
    options = tuple(
        StructFieldSpec(name, TYPES.get(name, float), value, HELP.get(name, f"Of the rule {name.split('_')[0]}."))
        for name, value in {**default.to_json(), **seldom}.items()
    )
    return StructConstructorSpec(_build, options)


def _build(**values: Any) -> ReadOut:
    for name in RULES:  # thresholds of rules that are not in use are checked, too
        rule_from_json({**values, "background": name})
    return ReadOut.from_json(values)
