"""`zeroseg evaluate`: mIoU on a data set with masks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
    choose otherwise. Two yardsticks come from the teacher alone: maskclip (the value path of its last layer, patch
    by patch) and crops (4 x 4 crops, each embedded on its own); the margin of their background is tuned on
    validation scenes.

    examples:
      zeroseg evaluate --dataset picturebook-voc
      zeroseg evaluate --dataset picturebook-context --model run/student --json result.json
      zeroseg evaluate --dataset picturebook-voc --method maskclip
    """

    dataset: Literal["picturebook-voc", "picturebook-context", "picturebook-coco"] = "picturebook-voc"
    """20 everyday nouns and background; all nouns and stuff; all nouns and background."""
    model: Annotated[str | None, arg(metavar="MODEL", help_behavior_hint="(default: the bundled one)")] = None
    """A student: a folder, or the name of a hub repository."""
    method: Literal["student", "maskclip", "crops"] = "student"
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
    json: Annotated[Path | None, arg(metavar="FILE", help_behavior_hint="")] = None
    """Write the figures and the confusion matrix here, too."""

    def run(self) -> int:
        """Measure, and print."""
        if self.size < 1:
            raise UsageError(f"--size must be 1 or more, not {self.size}.")
        if self.method != "student" and (self.model, self.naming, self.background) != (None, None, None):
            raise UsageError("--model, --naming and --background go with --method student.")
        from zeroseg.evaluation import evaluate, iou_per_class, open_dataset

        dataset = open_dataset(self.dataset, self.split, self.size)
        segmenter = self._student() if self.method == "student" else self._yardstick()
        with counting("evaluating", len(dataset), "scenes") as progress:
            result = evaluate(segmenter, dataset, progress)
        read = result.read_out
        console = Console(highlight=False, soft_wrap=True)
        console.print(_table(dict(zip(result.classes, iou_per_class(result.confusion).tolist(), strict=True))))
        console.print(f"{result.dataset}, {result.images} {self.split} scenes, {self.method}")
        console.print(f"pixels named by {read.naming}; background: ", end="")
        console.print(_rule(read.background, read.product_threshold, read.margin))
        console.print(f"mIoU {result.miou:.3f}")
        console.print(f"mIoU had each of the {read.naming} its majority class: {result.oracle_miou:.3f}")
        if self.json is not None:
            figures = {"method": self.method, "model": self.model, "split": self.split, **result.summary()}
            write_text_atomically(self.json, json.dumps(figures, indent=2) + "\n")
        return 0

    def _student(self) -> zeroseg.Segmenter:
        from zeroseg.student.weights import BUNDLED

        changes = {"background": self.background, "naming": self.naming}
        given = {name: value for name, value in changes.items() if value is not None}
        return zeroseg.Segmenter.from_pretrained(self.model or BUNDLED, self.teacher).reading(**given)

    def _yardstick(self) -> zeroseg.Segmenter:
        """A read-out of the teacher itself, of images at twice its own size (448 for a CLIP that reads 224)."""
        from zeroseg.baselines import READ_OUT, GridCrops, MaskCLIP
        from zeroseg.cli.loading import load_teacher
        from zeroseg.evaluation import open_dataset, tune_margin
        from zeroseg.teacher import BUNDLED_NAME

        teacher = load_teacher(self.teacher or BUNDLED_NAME)
        method = MaskCLIP if self.method == "maskclip" else GridCrops
        segmenter = zeroseg.Segmenter(method(teacher, 2 * teacher.size), teacher, READ_OUT)
        print(f"tuning the margin on {TUNING_SCENES} validation scenes", flush=True)
        return tune_margin(segmenter, open_dataset(self.dataset, "validation", TUNING_SCENES))


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
