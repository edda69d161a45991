"""Evaluation protocols of the field by name: sizes of pictures, windows, words and background rules.

Protocols differ, and figures under different protocols cannot be compared. A protocol is one frozen value that is
printed and saved with every result.

| | `paper` | `tcl` | `sclip` | `naclip` | `clearclip` |
|---|---|---|---|---|---|
| shorter side | 448 | 448 | 336; Stuff 448, Cityscapes 560 | 336; Cityscapes 560 | 448 |
| window, stride | whole | 448, 224 | 224, 112 | 224, 112; VOC whole | 448, 224; Cityscapes 224, 224 |
| templates | "a photo of the {}." | 9 | CLIP's 80 | CLIP's 80 | CLIP's 80 |
| words of a class | GroupViT's | the data set's name | its class files | SCLIP's | its class files |
| background | product score | .4 (.5 unrefined) | words, or under .1 | words, or under .1 | a word, or a threshold |
| softmax of cosines | times 100 | - | times 40, 50 or 65 | times 40 | times 50 |
| refinement | none | 10 (0 if asked) | none | 10 (0 if asked) | none |

The protocol `own` is the model's own sizes, words and rule, and three templates.

SCLIP calls labels of VOC21 under a tenth of the labelled pixels background. The thresholds of ClearCLIP are those of
VOC21, Context60 and COCO-Object (.5, .15, .4). All but the first two work in the order of their authors' code
(`sliding`). If a data set has no background, a pixel gets the best class under every rule. Crops, sliding windows and
true regions cut pictures themselves: they get whole pictures, in our order.

Sources: Chen et al. 2023 (paper; names and score are GroupViT's, Xu et al. 2022), Cha et al. 2023 (TCL), Wang et al.
2023 (SCLIP), Hajimiri et al. 2024 (NACLIP), Lan et al. 2024 (ClearCLIP), and the code of all but the first. What the
paper leaves open is our choice: the whole picture (GroupViT has windows of 448 every 224), resized as our models do it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import get_args

from zeroseg.baselines import DenseReadOut
from zeroseg.encoding import ImageEncoder, Resized
from zeroseg.errors import ConfigError
from zeroseg.evaluation.class_names import read_table
from zeroseg.evaluation.sliding import Sliding, SlidingSegmenter
from zeroseg.evaluation.templates import CLIP_TEMPLATES, TCL_TEMPLATES
from zeroseg.method_names import ProtocolName
from zeroseg.rules import BackgroundRule, Product, Sigmoid, Softmax
from zeroseg.segmenter import Segmenter
from zeroseg.student.config import ReadOut
from zeroseg.vocabulary import Vocabulary

PROTOCOLS: tuple[str, ...] = get_args(ProtocolName)
Words = tuple[tuple[str, tuple[str, ...]], ...]  # for some classes by their phrase, the words that replace it

SCENES = "picturebook"
PAPER_THRESHOLDS = {"voc": 0.95, "context": 0.05, "coco": 0.35}
SCLIP_SCALES = {"voc": 65.0, "context": 50.0, "coco-object": 50.0}
SCLIP_SIDES = {"coco-stuff": 448, "cityscapes": 560}
SCLIP_AREA = 0.1  # of the labelled pixels, on VOC21
CLEARCLIP_THRESHOLDS = {"voc": 0.5, "context": 0.15, "coco-object": 0.4}
POSITION_OFFSET = 0.1
"""Of patches along an axis: in the code of SCLIP, NACLIP and ClearCLIP positions are enlarged by (n + .1) / 14."""
SCLIP_BACKGROUND = (
    "sky", "wall", "tree", "wood", "grass", "road", "sea", "river", "mountain", "sands", "desk", "bed", "building",
    "cloud", "lamp", "door", "window", "wardrobe", "ceiling", "shelf", "curtain", "stair", "floor", "hill", "rail",
    "fence",
)  # fmt: skip
PEOPLE = ("person", *(f"person in {worn}" for worn in ("shirt", "jeans", "dress", "sweater", "skirt", "jacket")))
GROUPVIT_WORDS: Mapping[str, Words] = {
    "voc": (("dining table", ("table",)), ("potted plant", ("plant",)), ("tv monitor", ("monitor",))),
    "context": (("aeroplane", ("airplane",)), ("potted plant", ("plant",)), ("tv monitor", ("monitor",))),
}
OF_VOC: Words = (("boat", ("ship",)), ("dining table", ("table",)), ("potted plant", ("pottedplant",)))
SCLIP_WORDS: Mapping[str, Words] = {
    "voc": (
        *OF_VOC,
        ("person", PEOPLE),
        ("tv monitor", ("television monitor", "tv monitor", "monitor", "television", "screen")),
    ),
    "coco-object": (("person", (*PEOPLE, "body")),),
}
CLEARCLIP_WORDS: Mapping[str, Words] = {"voc": (*OF_VOC, ("tv monitor", ("tvmonitor",)))}
TABLES = {
    "voc": "voc", "context": "context", "coco-object": "coco_stuff", "coco-stuff": "coco_stuff", "ade20k": "ade20k",
    "cityscapes": "cityscapes",
}  # fmt: skip


@dataclass(frozen=True)
class Protocol:
    """How a model is measured on a data set; None keeps the model's own setting.

    Sides, window and stride in pixels. `words` replace the phrase for a class. `background_words` are words for pixels
    of no class. `background` and `refinement` are those of `ReadOut`. `sliding`: the order of the authors' own
    code, without the sizes.
    """

    name: str
    dataset: str
    shorter_side: int | None = None
    window: int | None = None
    stride: int | None = None
    templates: tuple[str, ...] | None = None
    words: Words = ()
    background_words: tuple[str, ...] | None = None
    background: BackgroundRule | None = None
    refinement: int | None = None
    sliding: Sliding | None = None

    def settings(self) -> dict[str, object]:
        """The settings of the protocol as plain JSON values."""
        rule = {} if self.background is None else self.background.to_json()
        own = asdict(self) | {"background": None, "sliding": None} | rule
        if self.sliding is not None and self.refinement:
            own["dilations"] = self.sliding.dilations
        return {name: value for name, value in own.items() if value is not None}

    def for_encoder(self, encoder: ImageEncoder) -> Protocol:
        """The same protocol, but without sizes for encoders that cut pictures themselves."""
        if encoder.multiple > 1:
            return self
        return replace(self, shorter_side=None, window=None, stride=None, sliding=None)

    def adapt(self, segmenter: Segmenter) -> Segmenter:
        """The segmenter with this protocol's pictures, windows, order and read-out."""
        fitting = self.for_encoder(segmenter.encoder)
        encoder, read_out = segmenter.encoder, fitting.adapt_read_out(segmenter.read_out)
        if fitting.sliding is not None:
            if isinstance(encoder, DenseReadOut):
                encoder = encoder.with_position_offset(fitting.sliding.position_offset)
            sliding = replace(fitting.sliding, shorter_side=self.shorter_side, window=self.window, stride=self.stride)
            return SlidingSegmenter(encoder, segmenter.teacher, read_out, segmenter.words, sliding)
        if fitting.shorter_side is not None:
            encoder = Resized(encoder, fitting.shorter_side)
        return Segmenter(encoder, segmenter.teacher, read_out, segmenter.words)

    def adapt_read_out(self, read_out: ReadOut) -> ReadOut:
        """A model's read-out with this protocol's background rule, background words and refinement."""
        rule = read_out.background if self.background is None else self.background
        refined = {} if self.refinement is None else {"refinement": self.refinement, "smallest_region": 0.0}
        alike = {} if self.background_words is None else {"alike": 1.0}
        return replace(read_out, background=rule, **refined, **alike)

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
            contested=self.background_words is not None,
        )


def protocol_for(name: str, dataset: str, has_background: bool = True, refined: bool = True) -> Protocol:
    """A protocol by name, for a data set by name. With `refined` False, "tcl" and "naclip" are those columns of the
    papers that have no refinement.

    Raises `ConfigError` for a name that is not in `PROTOCOLS`.
    """
    chosen = _in_full(name, dataset, refined)
    if not has_background and chosen.background is not None:
        chosen = replace(chosen, background=chosen.background.without_background(), background_words=())
    if dataset.startswith(SCENES):  # they are 96 pixels wide: the model's own sizes are used
        return replace(chosen, shorter_side=None, window=None, stride=None)
    return chosen


def _plain_names(family: str, separator: str = " ") -> Words:
    """The names of a data set's classes whose words differ from them; `separator` replaces their blanks."""
    table = TABLES.get(family)
    if table is None:
        return ()
    names = read_table(table)
    written = [name.replace(" ", separator) for name in names.names]
    return tuple((phrase, (name,)) for name, phrase in zip(written, names.words, strict=True) if name != phrase)


def _in_full(name: str, dataset: str, refined: bool) -> Protocol:
    family = dataset.removeprefix(f"{SCENES}-").rstrip("0123456789")  # voc21 and voc20 have the same words
    match name:
        case "own":
            return Protocol(name, dataset)
        case "paper":
            threshold = PAPER_THRESHOLDS.get(family.split("-")[0])
            return Protocol(
                name, dataset, shorter_side=448, templates=("a photo of the {}.",),
                words=GROUPVIT_WORDS.get(family, ()), background_words=(),
                background=Product() if threshold is None else Product(threshold), refinement=0,
            )  # fmt: skip
        case "tcl":
            rule = Sigmoid(0.4 if refined else 0.5)
            return Protocol(
                name, dataset, shorter_side=448, window=448, stride=224, templates=TCL_TEMPLATES,
                words=_plain_names(family), background_words=(), background=rule,
                refinement=10 if refined else 0, sliding=Sliding(scores=rule),
            )  # fmt: skip
        case "sclip" | "naclip" | "clearclip":
            return _on_clip(name, dataset, family, refined)
        case _:
            raise ConfigError(f"there is no protocol {name!r}: choose one of {', '.join(PROTOCOLS)}.")


def _on_clip(name: str, dataset: str, family: str, refined: bool) -> Protocol:
    """SCLIP's protocol, and those that were made of its code."""
    squeezed = () if family in ("voc", "coco-object") else _plain_names(family, separator="")
    sclip = Protocol(
        name, dataset, shorter_side=SCLIP_SIDES.get(family, 336), window=224, stride=112, templates=CLIP_TEMPLATES,
        words=SCLIP_WORDS.get(family, squeezed),
        background_words=("background",) if family == "context" else SCLIP_BACKGROUND,
        background=Softmax(0.1, SCLIP_SCALES.get(family, 40.0), SCLIP_AREA if family == "voc" else 0.0), refinement=0,
        sliding=Sliding(pads=False, position_offset=POSITION_OFFSET),
    )  # fmt: skip
    if name == "sclip":
        return sclip
    if name == "naclip":
        whole, side = family == "voc", 560 if family == "cityscapes" else 336
        return replace(
            sclip, shorter_side=side, window=None if whole else 224, stride=None if whole else 112,
            background=Softmax(0.1, 40.0), refinement=10 if refined else 0,
            sliding=Sliding(pads=False, position_offset=POSITION_OFFSET, dilations=(8, 16)),
        )  # fmt: skip
    return replace(
        sclip, shorter_side=448, window=224 if family == "cityscapes" else 448, stride=224,
        words=CLEARCLIP_WORDS.get(family, squeezed), background_words=("background",),
        background=Softmax(CLEARCLIP_THRESHOLDS.get(family, 0.5), 50.0),
        sliding=Sliding(position_offset=POSITION_OFFSET),
    )  # fmt: skip
