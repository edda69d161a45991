"""`zeroseg evaluate`: mIoU on a data set with masks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isnan
from pathlib import Path
from typing import Annotated, Literal

from rich.console import Console
from rich.table import Table
from tyro.conf import arg

import zeroseg
from zeroseg.cli.messages import UsageError
from zeroseg.cli.parsing import parse
from zeroseg.cli.progress import counting
from zeroseg.files import write_text_atomically

TUNING_SCENES = 100
OWN = "(default: the model's own)"


@dataclass(frozen=True)
class Evaluate:
    """Measure mIoU on scenes with known masks.

    All pixels of all scenes go into one confusion matrix. A student is read out as its config says, unless you
    choose otherwise. The other methods are yardsticks from the teacher alone, the margin of their background tuned on
    validation scenes: its patches, under one of four changes to its last layer (maskclip, sclip, naclip, clearclip);
    4 x 4 crops, or sliding windows, each embedded on its own (crops, windows). What one image costs is counted, too:
    the operations of all networks that see it.

    examples:
      zeroseg evaluate --dataset picturebook-voc
      zeroseg evaluate --dataset picturebook-context --model run/student --json result.json
      zeroseg evaluate --dataset picturebook-voc --method naclip --refinement 10
    """

    dataset: Literal["picturebook-voc", "picturebook-context", "picturebook-coco"] = "picturebook-voc"
    """20 everyday nouns and background; all nouns and stuff; all nouns and background."""
    model: Annotated[str | None, arg(metavar="MODEL", help_behavior_hint="(default: the bundled one)")] = None
    """A student: a folder, or the name of a hub repository."""
    method: Literal["student", "maskclip", "sclip", "naclip", "clearclip", "crops", "windows"] = "student"
    """What segments."""
    teacher: Annotated[
        str | None, arg(metavar="CLIP", help_behavior_hint="(default: the one the student names, or the bundled one)")
    ] = None
    """A CLIP: a folder, the name of a hub repository, or "bundled"."""
    split: Literal["held-out", "validation", "unlabelled", "teacher"] = "held-out"
    """Which scenes."""
    size: int = 300
    """How many scenes."""
    background: Annotated[Literal["product", "margin", "none"] | None, arg(help_behavior_hint=OWN)] = None
    """The student's rule for the background (see `zeroseg segment --help`)."""
    naming: Annotated[Literal["segments", "patches"] | None, arg(help_behavior_hint=OWN)] = None
    """Whether a pixel takes the name of its segment (the paper's) or of its patch."""
    refinement: Annotated[int | None, arg(metavar="ROUNDS", help_behavior_hint="(default: the model's own, or 0)")] = (
        None
    )
    """How many rounds of refinement let the masks follow the picture's edges; 0 for none (the paper's)."""
    json: Annotated[Path | None, arg(metavar="FILE", help_behavior_hint="")] = None
    """Write the figures and the confusion matrix here, too."""

    def run(self) -> int:
        """Measure, and print."""
        if self.size < 1:
            raise UsageError(f"--size must be 1 or more, not {self.size}.")
        if self.refinement is not None and self.refinement < 0:
            raise UsageError(f"--refinement must be 0 rounds or more, not {self.refinement}.")
        if self.method != "student" and (self.model, self.naming, self.background) != (None, None, None):
            raise UsageError("--model, --naming and --background go with --method student.")
        from zeroseg.evaluation import evaluate, iou_per_class, open_dataset
        from zeroseg.evaluation.cost import encoding_flops

        dataset = open_dataset(self.dataset, self.split, self.size)
        segmenter = self._segmenter()
        with counting("evaluating", len(dataset), "scenes") as progress:
            result = evaluate(segmenter, dataset, progress)
        flops = encoding_flops(segmenter, next(iter(dataset)).image)
        read = result.read_out
        console = Console(highlight=False, soft_wrap=True)
        console.print(_table(dict(zip(result.classes, iou_per_class(result.confusion).tolist(), strict=True))))
        console.print(f"{result.dataset}, {result.images} {self.split} scenes, {self.method}")
        console.print(f"pixels named by {read.naming}; background: ", end="")
        console.print(_rule(read.background, read.product_threshold, read.margin), end="")
        console.print(f"; {read.refinement} rounds of refinement")
        console.print(f"mIoU {result.miou:.3f}")
        console.print(f"mIoU had each of the {read.naming} its majority class, drawn alike: {result.oracle_miou:.3f}")
        console.print(f"{flops / 1e9:,.2f} GFLOP an image")
        if self.json is not None:
            how = {"method": self.method, "model": self.model, "split": self.split, "flops_an_image": flops}
            figures = how | result.summary()
            write_text_atomically(self.json, json.dumps(figures, indent=2) + "\n")
        return 0

    def _segmenter(self) -> zeroseg.Segmenter:
        """The student, or a yardstick with its margin tuned."""
        if self.method == "student":
            return self._student()
        from zeroseg.baselines import READ_OUT, open_yardstick
        from zeroseg.cli.loading import load_teacher
        from zeroseg.evaluation import open_dataset, tune_margin
        from zeroseg.teacher import BUNDLED_NAME

        teacher = load_teacher(self.teacher or BUNDLED_NAME)
        read_out = replace(READ_OUT, refinement=self.refinement or 0)
        segmenter = zeroseg.Segmenter(open_yardstick(self.method, teacher), teacher, read_out)
        print(f"tuning the margin on {TUNING_SCENES} validation scenes", flush=True)
        return tune_margin(segmenter, open_dataset(self.dataset, "validation", TUNING_SCENES))

    def _student(self) -> zeroseg.Segmenter:
        from zeroseg.student.weights import BUNDLED

        changes = {"background": self.background, "naming": self.naming, "refinement": self.refinement}
        given = {name: value for name, value in changes.items() if value is not None}
        return zeroseg.Segmenter.from_pretrained(self.model or BUNDLED, self.teacher).reading(**given)


def _rule(background: str, threshold: float, margin: float) -> str:
    """A background rule in words."""
    return {
        "product": f"product score under {threshold:g} (GroupViT's)",
        "margin": f"best label under the best background word + {margin:g} (cosine x 100)",
        "none": f"none, every pixel is named; labels for stuff lead by {margin:g} (cosine x 100)",
    }[background]


def _table(ious: Mapping[str, float]) -> Table:
    table = Table("class", "IoU")
    table.columns[1].justify = "right"
    for name, value in ious.items():
        table.add_row(name, "-" if isnan(value) else f"{value:.3f}")
    return table


def main(arguments: Sequence[str]) -> int:
    """Parse, and run."""
    return parse(Evaluate, "evaluate", arguments).run()
