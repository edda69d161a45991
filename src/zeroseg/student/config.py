"""Every size of the student, and how it is read at inference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from math import isfinite
from typing import Any, Literal, cast, get_args

from zeroseg.errors import ConfigError
from zeroseg.method_names import EncoderName, Naming
from zeroseg.rules import RULES, BackgroundRule, Product, rule_from_json
from zeroseg.vocabulary import BACKGROUND_WORDS

Grouping = Literal["groupvit", "light"]
Positions = Literal["sine", "learned"]
Assignment = Literal["gumbel", "cosine"]
SegmentEmbedding = Literal["token", "global", "mean"]
Activation = Literal["gelu", "quick_gelu", "gelu_pytorch_tanh"]
LastAttention = Literal["all", "own"]
PatchProjection = Literal["mlp", "linear", "pooled"]
LITE_STRIDE, LITE_BLOCKS = 16, 16  # of EfficientNet-Lite0: pixels between its tokens, blocks
SMALLEST_REGION = 0.0005  # of the picture: 94 pixels of 375 x 500
PRESENT_ABOVE = 4.9  # standard deviations: one known word of 100 reaches it in a photo (docs/log.md)
NEWER = "newer"
"""In the metadata of settings that earlier versions did not have: the value that they worked with. A setting with this
value is not saved, so that runs and records of these versions stay equal to those of today."""


@dataclass(frozen=True)
class ReadOut:
    """How masks get their names. It is saved with the weights, because good thresholds depend on them.

    `naming`: a pixel takes the class of its segment token (the paper), or of its patch embedding.
    `background`: decides when a pixel is none of the labels (`rules/`).
    `background_words`: words for the background, if a vocabulary has none of its own. If one of them is also a label,
    some rules add an offset to its score: it is stuff. `alike`: background words whose cosine with a label exceeds it,
    -1..1, stand down for it, and it is stuff, too: they mean nearly the same. 1, with which none does, is not saved.
    `background_things`: those of the background words that make no label stuff. Without any they are not saved.
    `present_above`: a label that stands out from distractors by less is absent, standard deviations (`presence.py`).
    `keep_mean`: whether the mean of the teacher's embeddings, which training subtracts, is added again before they are
    compared with words. `refinement`: iterations of refinement, in which masks follow the picture's edges (`refine.py`;
    0 in the paper). `smallest_region`: what refinement leaves smaller than this fraction of the picture, 0..1, is given
    to what is around it (`components.py`); 0, which changes nothing, is not saved.

    Raises `ConfigError` for values that are of another kind or out of range.
    """

    naming: Naming = "segments"
    background: BackgroundRule = field(default_factory=Product)
    background_words: tuple[str, ...] = BACKGROUND_WORDS
    keep_mean: bool = True
    refinement: int = 0
    smallest_region: float = 0.0
    alike: float = 1.0
    background_things: tuple[str, ...] = ()
    present_above: float = PRESENT_ABOVE

    def __post_init__(self) -> None:
        _check_read_out(vars(self))

    def without_specks(self) -> ReadOut:
        """The same read-out; if it keeps regions of every size, without those smaller than `SMALLEST_REGION`."""
        return replace(self, smallest_region=self.smallest_region or SMALLEST_REGION)

    def to_json(self) -> dict[str, Any]:
        """The form in saved configs: one flat table, in which rules that are not in use have default thresholds."""
        usual = {key: value for rule in RULES.values() for key, value in rule().to_json().items()}
        return {
            "naming": self.naming,
            **usual,
            **self.background.to_json(),
            "keep_mean": self.keep_mean,
            "background_words": self.background_words,
            "refinement": self.refinement,
            **({"smallest_region": self.smallest_region} if self.smallest_region else {}),
            **({"alike": self.alike} if self.alike != 1.0 else {}),
            **({"background_things": self.background_things} if self.background_things else {}),
            **({"present_above": self.present_above} if self.present_above != PRESENT_ABOVE else {}),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> ReadOut:
        """From a saved config's table. Raises `ConfigError` for keys that no read-out has, or an unknown rule."""
        saved = {key for rule in RULES.values() for key in rule.saved_as.values()}
        own = {f.name for f in fields(cls)}
        _expect_known(values, own | saved)
        given = {key: value for key, value in _with_tuples(values).items() if key in own}
        _check_read_out(given)
        given["background"] = rule_from_json(values)
        return cls(**given)


@dataclass(frozen=True)
class StudentConfig:
    """The sizes of a student; the defaults are the paper's (ViT-B/16 at 224, CLIP ViT-L/14 as teacher)."""

    encoder: EncoderName = "vit"
    """"vit": the paper's. "efficientnet_lite0": convolutions, for CPUs and phones; `patch_size` must be 16;
    `layers`, `activation`, `input_norm` and, without a decoder, `positions` have no effect."""
    image_size: int = 224
    patch_size: int = 16
    width: int = 768
    layers: int = 12
    heads: int = 12
    activation: Activation = "gelu"  # of the encoder: "quick_gelu" in OpenAI's CLIP, "gelu_pytorch_tanh" in SigLIP
    input_norm: bool = False  # a norm after the positions: in CLIP's tower, not in MAE's
    class_token: bool = True  # a token beside the patches: in CLIP's and MAE's towers, not in SigLIP's
    norm_epsilon: float = 1e-5  # of the encoder's norms: 1e-6 in SigLIP
    last_attention: LastAttention = "all"
    """What a token of the encoder's last layer attends to: "all" tokens, or its "own" value alone. "own" is MaskCLIP's
    read-out of a CLIP (Zhou et al. 2022), for encoders that start from a teacher's tower."""
    positions: Positions = field(default="sine", metadata={NEWER: "learned"})
    """Of the patches, in encoder and decoder: fixed sines (the paper), or learned, which can start from a tower's."""
    decoder_width: int = 512
    decoder_layers: int = 8  # 0: no reconstruction
    decoder_heads: int = 16
    head_layers: int = 5
    grouping_after: tuple[int, int] = (2, 4)
    segment_tokens: tuple[int, int] = (32, 8)
    grouping: Grouping = field(default="groupvit", metadata={NEWER: "light"})
    """"groupvit": as many group tokens travel through the layers before each grouping (the paper, after GroupViT).
    "light": none do, and each block has learned segment tokens; see student/grouping.py."""
    assignment: Assignment = "gumbel"  # the paper's; "cosine" is ours, see student/grouping.py
    temperature: float = 1.0  # of "gumbel": below 1 the assignment is more decided, and its gradient larger
    segment_embedding: SegmentEmbedding = "token"
    """"token": a separate projection (the paper). "global": the projection of the global token, which is then a mean
    of segments (GroupViT), for losses without segments. "mean": the mean of a mask's patch embeddings, to study
    losses."""
    embedding_width: int = 768
    patch_head: bool = False  # ours: an embedding and a salience for every patch
    patch_projection: PatchProjection = "mlp"
    """"mlp": a patch's embedding comes from the head's first layers. The others come from the encoder's tokens, have
    length 1 in the teacher's space, and can start as the teacher's own: a "linear" layer as CLIP's projection, or what
    SigLIP's pooling head makes of one token ("pooled": a linear layer, and an MLP beside it)."""
    inference_size: int = 448  # shorter side of the image
    teacher: str = "openai/clip-vit-large-patch14"
    text_fingerprint: str = field(default="", metadata={NEWER: ""})
    """Of the teacher's text tower, written when the student is trained; a student without it takes any teacher."""
    read_out: ReadOut = field(default_factory=ReadOut)

    def __post_init__(self) -> None:
        first, second = self.grouping_after
        sizes = (self.image_size, self.patch_size, self.width, self.heads, self.decoder_width, self.decoder_heads)
        if min(*sizes, self.layers, self.embedding_width, *self.segment_tokens) < 1:
            raise ConfigError("this student cannot be built: every size must be 1 or more.")
        problems = {
            f"there is no encoder {self.encoder!r}": self.encoder not in get_args(EncoderName),
            f"patch_size must be {LITE_STRIDE} for efficientnet_lite0": self.encoder == "efficientnet_lite0"
            and self.patch_size != LITE_STRIDE,
            f"there is no grouping {self.grouping!r}": self.grouping not in get_args(Grouping),
            f"there are no positions {self.positions!r}": self.positions not in get_args(Positions),
            "width must be a multiple of 4 for sine positions": self.encoder == "vit"
            and self.positions == "sine"
            and self.width % 4,
            "decoder_width must be a multiple of 4 for sine positions": self.decoder_layers > 0
            and self.positions == "sine"
            and self.decoder_width % 4,
            f"there is no assignment {self.assignment!r}": self.assignment not in get_args(Assignment),
            f"there is no segment embedding {self.segment_embedding!r}": self.segment_embedding
            not in get_args(SegmentEmbedding),
            f"there is no last attention {self.last_attention!r}": self.last_attention not in get_args(LastAttention),
            f"there is no patch projection {self.patch_projection!r}": self.patch_projection
            not in get_args(PatchProjection),
            f"there is no activation {self.activation!r}": self.activation not in get_args(Activation),
            "temperature must be above 0": not self.temperature > 0,
            "norm_epsilon must be above 0": not self.norm_epsilon > 0,
            "decoder_layers must be 0 or more": self.decoder_layers < 0,
            "segments as the mean of patches need patch_head": self.segment_embedding == "mean" and not self.patch_head,
            "image_size must be a multiple of patch_size": self.image_size % self.patch_size,
            "inference_size must be at least patch_size": self.inference_size < self.patch_size,
            "width must be a multiple of heads": self.width % self.heads,
            "decoder_width must be a multiple of decoder_heads": self.decoder_width % self.decoder_heads,
            "grouping_after must be two layers in order, within head_layers": not 0
            < first
            < second
            <= self.head_layers,
            "naming by patches needs patch_head": self.read_out.naming == "patches" and not self.patch_head,
        }
        for problem, holds in problems.items():
            if holds:
                raise ConfigError(f"this student cannot be built: {problem}.")

    @property
    def grid(self) -> int:
        """Patches along a side at the training size."""
        return self.image_size // self.patch_size

    @property
    def encoder_blocks(self) -> int:
        """The blocks of the encoder: transformer layers, or inverted residuals."""
        return LITE_BLOCKS if self.encoder == "efficientnet_lite0" else self.layers

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return plain_settings(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> StudentConfig:
        """From plain JSON values. Raises `ConfigError` for keys that no student has."""
        _expect_known(values, {f.name for f in fields(cls)})
        plain = {f.name: f.metadata[NEWER] for f in fields(cls) if NEWER in f.metadata} | _with_tuples(values)
        plain["read_out"] = ReadOut.from_json(values.get("read_out", {}))
        return cls(**plain)


def _check_read_out(values: Mapping[str, object]) -> None:
    """Raise `ConfigError` for values of a read-out that are of another kind or out of range."""
    naming, iterations = values.get("naming"), values.get("refinement", 0)
    if "naming" in values and naming not in get_args(Naming):
        raise ConfigError(f"there is no naming by {naming!r}: choose one of {', '.join(get_args(Naming))}.")
    if isinstance(iterations, bool) or not isinstance(iterations, int) or iterations < 0:
        raise ConfigError(f"refinement must be 0 iterations or more, not {iterations!r}.")
    region = values.get("smallest_region", 0.0)
    if isinstance(region, bool) or not isinstance(region, int | float) or not 0 <= region < 1:
        raise ConfigError(f"smallest_region must be a fraction of the picture, 0 or more and below 1, not {region!r}.")
    alike = values.get("alike", 1.0)
    if isinstance(alike, bool) or not isinstance(alike, int | float) or not -1 <= alike <= 1:
        raise ConfigError(f"alike must be a cosine, -1 to 1, not {alike!r}.")
    above = values.get("present_above", PRESENT_ABOVE)
    if isinstance(above, bool) or not isinstance(above, int | float) or not isfinite(above):
        raise ConfigError(f"present_above must be a number of standard deviations, not {above!r}.")
    if not isinstance(values.get("keep_mean", True), bool):
        raise ConfigError(f"keep_mean must be true or false, not {values['keep_mean']!r}.")
    for name in ("background_words", "background_things"):
        words = values.get(name, ())
        if not isinstance(words, tuple) or not all(isinstance(word, str) for word in cast(tuple[object, ...], words)):
            raise ConfigError(f"{name} must be a list of words, not {words!r}.")


def plain_settings(config: Any) -> dict[str, Any]:
    """All settings of a config, however deep, as dictionaries of plain values; a read-out as it is saved."""
    if isinstance(config, ReadOut):
        return config.to_json()
    saved = (f for f in fields(config) if NEWER not in f.metadata or getattr(config, f.name) != f.metadata[NEWER])
    values = {f.name: getattr(config, f.name) for f in saved}
    return {name: plain_settings(value) if is_dataclass(value) else value for name, value in values.items()}


def _expect_known(values: Mapping[str, Any], known: set[str]) -> None:
    unknown = sorted(values.keys() - known)
    if unknown:
        raise ConfigError(f"the student's config has unknown keys: {', '.join(unknown)}.")


def _with_tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    """JSON has lists where the configs have tuples."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
