"""Evaluation protocols of the field by name: sizes of pictures, windows, words and background rules.

Protocols differ, and figures under different protocols cannot be compared. A protocol is one frozen value that is
printed and saved with every result.

| | `own` | `paper` | `tcl` | `scliplike` |
|---|---|---|---|---|
| shorter side | the model's own | 448 | 448 | 336; COCO-Stuff 448, Cityscapes 560 |
| window, stride | whole picture | whole picture | 448, 224 | 224, 112 |
| templates | 3 | "a photo of a {}" | 9 | CLIP's 80 |
| words of a class | a phrase for it | a phrase for it | the data set's own name | a phrase and aliases |
| background | the model's own | product score under a threshold | .4 (.5 unrefined) | words, and probability under .1 |
| refinement | the model's own | none | 10 iterations (0 if asked) | none |

If the data set has no background, a pixel gets the best class under every rule. Pictures are cut into windows for
models with patches; crops, sliding windows and true regions cut pictures themselves and get whole pictures.

Sources: Chen et al. 2023 (paper, and GroupViT for the score); Cha et al. 2023 (TCL); Wang et al. 2023 (SCLIP). Known
differences: scores are averaged and turned into probabilities on the grid of patches, not of pixels; refinement (PAMR)
uses pictures with a shorter side of 224, not 448. We leave out SCLIP's rule against small classes on VOC and its
spellings of some classes ("trafficlight"), and a background word that is also a label ("bed") does not compete with it.
SCLIP's windows need patches of 16 pixels, or others that divide 112.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import get_args

from zeroseg.encoding import ImageEncoder
from zeroseg.errors import ConfigError
from zeroseg.evaluation.class_names import read_table
from zeroseg.evaluation.templates import CLIP_TEMPLATES, TCL_TEMPLATES
from zeroseg.evaluation.windowed import Windowed
from zeroseg.method_names import ProtocolName
from zeroseg.rules import BackgroundRule, NoBackground, Product, Sigmoid, Softmax
from zeroseg.student.config import ReadOut
from zeroseg.vocabulary import Vocabulary

PROTOCOLS: tuple[str, ...] = get_args(ProtocolName)

SCENES = "picturebook"
PAPER_THRESHOLDS = {"voc": 0.95, "context": 0.05, "coco": 0.35}
SCLIP_SCALES = {"voc": 65.0, "context": 50.0, "coco-object": 50.0}
SCLIP_SIDES = {"coco-stuff": 448, "cityscapes": 560}
SCLIP_BACKGROUND = (
    "sky", "wall", "tree", "wood", "grass", "road", "sea", "river", "mountain", "sands", "desk", "bed", "building",
    "cloud", "lamp", "door", "window", "wardrobe", "ceiling", "shelf", "curtain", "stair", "floor", "hill", "rail",
    "fence",
)  # fmt: skip
PEOPLE = ("person", *(f"person in {worn}" for worn in ("shirt", "jeans", "dress", "sweater", "skirt", "jacket")))
SCLIP_WORDS = {
    "voc": {
        "boat": ("ship",),
        "dining table": ("table",),
        "person": PEOPLE,
        "potted plant": ("pottedplant",),
        "tv monitor": ("television monitor", "tv monitor", "monitor", "television", "screen"),
    },
    "coco-object": {"person": (*PEOPLE, "body")},
}


TABLES = {
    "voc": "voc", "context": "context", "coco-object": "coco_stuff", "coco-stuff": "coco_stuff", "ade20k": "ade20k",
    "cityscapes": "cityscapes",
}  # fmt: skip


@dataclass(frozen=True)
class Protocol:
    """How a model is measured on a data set; None keeps the model's own setting.

    Sides, window and stride in pixels. `words` replace the name of a class. `background_words` are words for pixels of
    no class. `background` and `refinement` are those of `ReadOut`.
    """

    name: str
    dataset: str
    shorter_side: int | None = None
    window: int | None = None
    stride: int | None = None
    templates: tuple[str, ...] | None = None
    words: tuple[tuple[str, tuple[str, ...]], ...] = ()
    background_words: tuple[str, ...] | None = None
    background: BackgroundRule | None = None
    refinement: int | None = None

    def settings(self) -> dict[str, object]:
        """The settings of the protocol as plain JSON values."""
        rule = {} if self.background is None else self.background.to_json()
        return {
            name: value for name, value in (asdict(self) | {"background": None} | rule).items() if value is not None
        }

    def for_encoder(self, encoder: ImageEncoder) -> Protocol:
        """The same protocol, but without sizes for encoders that cut pictures themselves."""
        return self if encoder.multiple > 1 else replace(self, shorter_side=None, window=None, stride=None)

    def adapt_encoder(self, encoder: ImageEncoder) -> ImageEncoder:
        """The encoder with this protocol's sizes and windows. Raises `ConfigError` if these do not fit its patches."""
        if self.for_encoder(encoder).shorter_side is None or self.shorter_side is None:
            return encoder
        return Windowed(encoder, self.shorter_side, self.window, self.stride)

    def adapt_read_out(self, read_out: ReadOut) -> ReadOut:
        """A model's read-out with this protocol's background rule, background words and refinement."""
        rule = read_out.background if self.background is None else self.background
        refined = {} if self.refinement is None else {"refinement": self.refinement, "smallest_region": 0.0}
        return replace(read_out, background=rule, **refined)

    def adapt_vocabulary(self, vocabulary: Vocabulary) -> Vocabulary:
        """A data set's vocabulary with the words and templates of this protocol."""
        own = dict(self.words)
        words = [own.get(label, (label,)) for label in vocabulary.labels]
        aliases = [
            (*rest, *also) for (_, *rest), also in zip(words, vocabulary.aliases or [()] * len(words), strict=True)
        ]
        return replace(
            vocabulary,
            labels=tuple(first for first, *_ in words),
            aliases=tuple(aliases) if any(aliases) else (),
            background=vocabulary.background if self.background_words is None else self.background_words,
            templates=self.templates or vocabulary.templates,
        )


def protocol_for(name: str, dataset: str, has_background: bool = True, refined: bool = True) -> Protocol:
    """A protocol by name, for a data set by name. With `refined` False, "tcl" is TCL's column without refinement.

    Raises `ConfigError` for a name that is not in `PROTOCOLS`.
    """
    chosen = _in_full(name, dataset, refined)
    if not has_background and name != "own":
        chosen = replace(chosen, background=NoBackground(), background_words=())
    if dataset.startswith(SCENES):  # they are 96 pixels wide: the model's own sizes are used
        return replace(chosen, shorter_side=None, window=None, stride=None)
    return chosen


def _plain_names(family: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The names of a data set's classes whose words differ from them."""
    table = TABLES.get(family)
    if table is None:
        return ()
    names = read_table(table)
    return tuple((phrase, (name,)) for name, phrase in zip(names.names, names.words, strict=True) if name != phrase)


def _in_full(name: str, dataset: str, refined: bool) -> Protocol:
    family = dataset.removeprefix(f"{SCENES}-").rstrip("0123456789")  # voc21 and voc20 have the same words
    match name:
        case "own":
            return Protocol(name, dataset)
        case "paper":
            threshold = PAPER_THRESHOLDS.get(family.split("-")[0])
            return Protocol(
                name, dataset, shorter_side=448, templates=("a photo of a {}",), background_words=(),
                background=Product() if threshold is None else Product(threshold), refinement=0,
            )  # fmt: skip
        case "tcl":
            return Protocol(
                name, dataset, shorter_side=448, window=448, stride=224, templates=TCL_TEMPLATES,
                words=_plain_names(family), background_words=(), background=Sigmoid(0.4 if refined else 0.5),
                refinement=10 if refined else 0,
            )  # fmt: skip
        case "scliplike":
            return Protocol(
                name, dataset, shorter_side=SCLIP_SIDES.get(family, 336), window=224, stride=112,
                templates=CLIP_TEMPLATES, words=tuple(SCLIP_WORDS.get(family, {}).items()),
                background_words=("background",) if family == "context" else SCLIP_BACKGROUND,
                background=Softmax(0.1, SCLIP_SCALES.get(family, 40.0)), refinement=0,
            )  # fmt: skip
        case _:
            raise ConfigError(f"there is no protocol {name!r}: choose one of {', '.join(PROTOCOLS)}.")
