"""What stands beside a figure: all that made it, in words for people and as plain JSON values."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from zeroseg.dataset_names import official_images
from zeroseg.evaluation.background import Sweep
from zeroseg.evaluation.benchmark import Result
from zeroseg.evaluation.protocols import Protocol
from zeroseg.student.config import ReadOut
from zeroseg.versions import versions
from zeroseg.vocabulary import Vocabulary


@dataclass(frozen=True)
class Tuned:
    """The same measured with another margin: the one that is best on images whose masks were looked at."""

    margin: float
    images: str  # "tuned on 100 validation scenes"
    miou: float


@dataclass(frozen=True)
class Account:
    """How a result came about. `model` is None for what is read out of the teacher itself; `flops` are of an image.

    `margin`: how it was found, where it was not the model's own.
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
    tuned: Tuned | None = None
    sweep: Sweep | None = None

    @property
    def shortfall(self) -> str:
        """One sentence if these are fewer images than the benchmark has, or nothing."""
        official = official_images(self.result.dataset, self.split)
        if official is None or self.result.images >= official:
            return ""
        return (
            f"{self.result.images:,} of the {official:,} official {self.split} images: not a figure of the benchmark."
        )

    def in_words(self) -> dict[str, str]:
        """How it was measured, a few words for each matter."""
        read, protocol, words = self.result.read_out, self.protocol, self.vocabulary
        seen = f"shorter side of {self.shorter_side} pixels"
        if protocol.window:
            seen += f", in windows of {protocol.window} every {protocol.stride}"
        others = sum(map(len, words.aliases))
        spoken = _count(len(words.labels), "label") + (f" and {others} other words for them" if others else "")
        spoken += f", in {_count(len(words.templates), 'template')}"
        spoken += f"; {_count(len(words.background), 'word')} for the background" if words.background else ""
        return {
            "data set": f"{self.result.dataset}, {self.split}",
            "method": self.method,
            **({} if self.model is None else {"model": self.model}),
            "teacher": self.teacher,
            "protocol": protocol.name,
            "pictures": seen,
            "words": spoken,
            "background": _rule(read) + (f"; {self.margin}" if self.margin else ""),
            "pixels named by": read.naming,
            "rounds of refinement": f"{read.refinement}",
            "GFLOP an image": f"{self.flops / 1e9:,.2f}",
            "versions": ", ".join(f"{name} {version}" for name, version in versions().items()),
        }

    def as_json(self) -> dict[str, object]:
        """Every setting and every figure."""
        return {
            "method": self.method,
            "model": self.model,
            "teacher": self.teacher,
            "folder": self.folder,
            "split": self.split,
            "official_images": official_images(self.result.dataset, self.split),
            "protocol": self.protocol.settings(),
            "shorter_side": self.shorter_side,
            "vocabulary": asdict(self.vocabulary),
            "margin": self.margin or "the model's own",
            "flops_an_image": self.flops,
            "device": self.device,
            "versions": versions(),
            **self.result.summary(),
            **({} if self.tuned is None else {"tuned": asdict(self.tuned)}),
            **({} if self.sweep is None else {"sweep": asdict(self.sweep)}),
        }


def _rule(read: ReadOut) -> str:
    """A background rule in words."""
    match read.background:
        case "product":
            return f"product score under {read.product_threshold:g} (GroupViT's)"
        case "margin":
            return f"best label under the best background word + {read.margin:g} (cosine x 100)"
        case "softmax":
            return f"a background word is likeliest, or nothing reaches {read.threshold:g} (SCLIP's)"
        case "sigmoid":
            return f"no label reaches {read.sigmoid_threshold:g}, or a background word fits better (TCL's)"
        case "none":
            lead = f"; labels for stuff lead by {read.margin:g} (cosine x 100)" if read.margin else ""
            return f"none, every pixel is named{lead}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number != 1 else ''}"
