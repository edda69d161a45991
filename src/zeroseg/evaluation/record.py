"""Evaluation records: a result with everything that it depends on, in words and as plain JSON values."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from zeroseg.dataset_names import official_images
from zeroseg.evaluation.benchmark import Result
from zeroseg.evaluation.masks import MaskOptions
from zeroseg.evaluation.protocols import Protocol
from zeroseg.evaluation.thresholds import Sweep
from zeroseg.student.config import ReadOut
from zeroseg.versions import versions
from zeroseg.vocabulary import Vocabulary


@dataclass(frozen=True)
class Tuned:
    """The result with another margin: the one that is best on images whose masks were used."""

    margin: float
    images: str  # "tuned on 100 validation scenes"
    miou: float


OWN_MARGIN = "the model's own"


@dataclass(frozen=True)
class EvaluationRecord:
    """A result and how it was measured. `model` is None for baselines of the teacher; `flops` are of one image.

    `margin`: how the background's threshold was found. `masks`: how a user's own masks were read, if that was chosen.
    `skipped`: one sentence for each image that was left out.
    """

    result: Result
    split: str
    folder: str | None
    method: str
    model: str | None
    teacher: str
    device: str
    shorter_side: int
    protocol: Protocol
    vocabulary: Vocabulary
    margin: str
    flops: float
    masks: MaskOptions | None = None
    skipped: tuple[str, ...] = ()
    tuned: Tuned | None = None
    sweep: Sweep | None = None

    @property
    def shortfall(self) -> str:
        """One sentence if fewer images were measured than the benchmark has, else an empty text."""
        official = official_images(self.result.dataset, self.split)
        if official is None or self.result.images >= official:
            return ""
        return (
            f"{self.result.images:,} of the {official:,} official {self.split} images: not a figure of the benchmark."
        )

    @property
    def background_words(self) -> tuple[str, ...]:
        """The words that competed for the background."""
        read_out = self.result.read_out
        words = self.vocabulary.background_words(read_out.background_words)
        return words if read_out.background.has_background else ()

    def in_words(self) -> dict[str, str]:
        """How it was measured, in a few words for each setting."""
        read, protocol, words = self.result.read_out, self.protocol, self.vocabulary
        competing = self.background_words
        seen = f"shorter side of {self.shorter_side} pixels"
        if protocol.window:
            seen += f", in windows of {protocol.window} every {protocol.stride}"
        others = sum(map(len, words.aliases))
        spoken = _count(len(words.labels), "label") + (f" and {others} other words for them" if others else "")
        spoken += f", in {_count(len(words.templates), 'template')}"
        spoken += f"; {_count(len(competing), 'word')} for the background" if competing else ""
        return {
            "data set": f"{self.result.dataset}, {self.split}",
            "method": self.method,
            **({} if self.model is None else {"model": self.model}),
            "teacher": self.teacher,
            "protocol": protocol.name,
            "pictures": seen,
            "words": spoken,
            "background": f"{read.background.describe()}; {self.margin}",
            "pixels named by": read.naming,
            "iterations of refinement": f"{read.refinement}{_cleaned(read)}",
            **({"images left out": f"{len(self.skipped)}, which cannot be read"} if self.skipped else {}),
            "GFLOP an image": f"{self.flops / 1e9:,.2f}",
            "versions": ", ".join(f"{name} {version}" for name, version in versions().items()),
        }

    def as_json(self) -> dict[str, object]:
        """Every setting and every figure, as plain JSON values."""
        return {
            "method": self.method,
            "model": self.model,
            "teacher": self.teacher,
            "folder": self.folder,
            "split": self.split,
            "official_images": official_images(self.result.dataset, self.split),
            "protocol": self.protocol.settings(),
            "shorter_side": self.shorter_side,
            "vocabulary": asdict(replace(self.vocabulary, background=self.background_words)),
            "margin": self.margin,
            "flops_an_image": self.flops,
            "device": self.device,
            "versions": versions(),
            **self.result.summary(),
            **({} if self.tuned is None else {"tuned": asdict(self.tuned)}),
            **({} if self.sweep is None else {"sweep": asdict(self.sweep)}),
            **({} if self.masks is None else {"masks": asdict(self.masks)}),
            **({"skipped": list(self.skipped)} if self.skipped else {}),
        }


def _cleaned(read: ReadOut) -> str:
    small = f"; areas under {read.smallest_region:.2%} of the picture take the class around them"
    return small if read.refinement and read.smallest_region else ""


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number != 1 else ''}"
