"""Every size of the student, and how it is read at inference."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args

from zeroseg.errors import ConfigError
from zeroseg.vocabulary import BACKGROUND_WORDS

Assignment = Literal["gumbel", "cosine"]
SegmentEmbedding = Literal["token", "global", "mean"]
Naming = Literal["segments", "patches"]
Background = Literal["product", "margin", "softmax", "sigmoid", "none"]


@dataclass(frozen=True)
class ReadOut:
    """How masks get their names: part of the weights, because thresholds belong to them.

    `naming`: a pixel takes the class of its segment token (the paper), or of its patch embedding.
    `background`: "product" is GroupViT's product score under `product_threshold` (the paper); "margin" asks the
    best label to beat the best background word by `margin` (cosine x 100). "softmax" is SCLIP's: probabilities at
    `softmax_scale` x cosine, background where a background word is the likeliest or nothing reaches `threshold`;
    "sigmoid" TCL's: every label by itself, background where none reaches `sigmoid_threshold`, or a background word
    fits better. "none" names every pixel.
    `keep_mean`: whether the mean of the teacher's embeddings, taken out in training, is put back before they
    are compared with words. `background_words` stand for what nobody asked for, unless a vocabulary has its own; one
    that is asked for as a label keeps its `margin` over the others (under "margin" and "none"). `refinement`: how many
    rounds of refinement let the masks follow the picture's edges (`refine.py`; 0 in the paper).
    """

    naming: Naming = "segments"
    background: Background = "product"
    product_threshold: float = 0.95
    margin: float = 0.0
    keep_mean: bool = True
    background_words: tuple[str, ...] = BACKGROUND_WORDS
    refinement: int = 0
    softmax_scale: float = 40.0
    threshold: float = 0.1
    sigmoid_threshold: float = 0.5


@dataclass(frozen=True)
class StudentConfig:
    """The sizes of a student; the defaults are the paper's (ViT-B/16 at 224, CLIP ViT-L/14 as teacher)."""

    image_size: int = 224
    patch_size: int = 16
    width: int = 768
    layers: int = 12
    heads: int = 12
    activation: Literal["gelu", "quick_gelu"] = "gelu"
    input_norm: bool = False  # a norm after the positions, as CLIP's tower has and MAE's has not
    decoder_width: int = 512
    decoder_layers: int = 8  # 0: no reconstruction
    decoder_heads: int = 16
    head_layers: int = 5
    grouping_after: tuple[int, int] = (2, 4)
    segment_tokens: tuple[int, int] = (32, 8)
    assignment: Assignment = "gumbel"  # the paper's; "cosine" is ours, see student/grouping.py
    temperature: float = 1.0  # of "gumbel": below 1 the assignment is surer, and its gradient steeper
    segment_embedding: SegmentEmbedding = "token"
    """A projection of its own (the paper). "global": the way to the global token, which is then a mean of segments
    (GroupViT), for losses that know no segments. "mean", to study losses: the mean of a mask's patch embeddings."""
    embedding_width: int = 768
    patch_head: bool = False  # ours: an embedding and a salience for every patch
    inference_size: int = 448  # shorter side of the image
    teacher: str = "openai/clip-vit-large-patch14"
    read_out: ReadOut = field(default_factory=ReadOut)

    def __post_init__(self) -> None:
        first, second = self.grouping_after
        sizes = (self.image_size, self.patch_size, self.width, self.heads, self.decoder_width, self.decoder_heads)
        if min(*sizes, self.layers, self.embedding_width, *self.segment_tokens) < 1:
            raise ConfigError("this student cannot be built: every size must be 1 or more.")
        problems = {
            f"there is no assignment {self.assignment!r}": self.assignment not in get_args(Assignment),
            f"there is no segment embedding {self.segment_embedding!r}": self.segment_embedding
            not in get_args(SegmentEmbedding),
            "temperature must be above 0": not self.temperature > 0,
            "decoder_layers must be 0 or more": self.decoder_layers < 0,
            "segments as the mean of patches need patch_head": self.segment_embedding == "mean" and not self.patch_head,
            f"there is no naming by {self.read_out.naming!r}": self.read_out.naming not in get_args(Naming),
            f"there is no background rule {self.read_out.background!r}": self.read_out.background
            not in get_args(Background),
            "image_size must be a multiple of patch_size": self.image_size % self.patch_size,
            "inference_size must be at least patch_size": self.inference_size < self.patch_size,
            "width must be a multiple of heads": self.width % self.heads,
            "decoder_width must be a multiple of decoder_heads": self.decoder_width % self.decoder_heads,
            "grouping_after must be two layers in order, within head_layers": not 0
            < first
            < second
            <= self.head_layers,
            "refinement must be 0 rounds or more": self.read_out.refinement < 0,
            "naming by patches needs patch_head": self.read_out.naming == "patches" and not self.patch_head,
        }
        for problem, holds in problems.items():
            if holds:
                raise ConfigError(f"this student cannot be built: {problem}.")

    @property
    def grid(self) -> int:
        """Patches along a side at the training size."""
        return self.image_size // self.patch_size

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> StudentConfig:
        """From plain JSON values. Raises `ConfigError` for keys that no student has."""
        known = {f.name for f in fields(cls)}
        unknown = sorted(values.keys() - known) or sorted(
            values.get("read_out", {}).keys() - {f.name for f in fields(ReadOut)}
        )
        if unknown:
            raise ConfigError(f"the student's config has unknown keys: {', '.join(unknown)}.")
        plain = _with_tuples(values)
        plain["read_out"] = ReadOut(**_with_tuples(values.get("read_out", {})))
        return cls(**plain)


def _with_tuples(values: dict[str, Any]) -> dict[str, Any]:
    """JSON has lists where the configs have tuples."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
