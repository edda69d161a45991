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
from zeroseg.dataset_names import PICTUREBOOKS, DatasetName, SplitName, splits_of
from zeroseg.errors import DatasetError
from zeroseg.files import write_text_atomically

TUNING_IMAGES = 100
OWN = "(default: the model's own)"


@dataclass(frozen=True)
class Evaluate:
    """Measure mIoU on images with known masks.

    The picturebook draws its own; all other data sets are read from --data, the folder that their official download
    was unpacked to, or one of your own (docs/datasets.md). All pixels of all images go into one confusion matrix. A
    student is read out as its config says, unless you choose otherwise. The other methods are yardsticks from the
    teacher alone: its patches, under one of four changes to its last layer (maskclip, sclip, naclip, clearclip); 4 x 4
    crops, or sliding windows, each embedded on its own (crops, windows). The margin of their background is tuned on
    validation scenes, on images of the official train split where the data set is real, or not at all where that is
    not there. What one image costs is counted, too: the operations of all networks that see it.

    examples:
      zeroseg evaluate --dataset picturebook-voc
      zeroseg evaluate --dataset picturebook-context --model run/student --json result.json
      zeroseg evaluate --dataset picturebook-voc --method naclip --refinement 10
      zeroseg evaluate --dataset voc21 --data VOCdevkit --model run/student
    """

    dataset: DatasetName = "picturebook-voc"
    """The picturebook's 20 everyday nouns and background, all nouns and stuff, all nouns and background; or real."""
    data: Annotated[Path | None, arg(metavar="FOLDER", help_behavior_hint="(required for real data sets)")] = None
    """Where a real data set is."""
    model: Annotated[str | None, arg(metavar="MODEL", help_behavior_hint="(default: the bundled one)")] = None
    """A student: a folder, or the name of a hub repository."""
    method: Literal["student", "maskclip", "sclip", "naclip", "clearclip", "crops", "windows"] = "student"
    """What segments."""
    teacher: Annotated[
        str | None, arg(metavar="CLIP", help_behavior_hint="(default: the one the student names, or the bundled one)")
    ] = None
    """A CLIP: a folder, the name of a hub repository, or "bundled"."""
    split: Annotated[SplitName | None, arg(help_behavior_hint="(default: held-out; val; all of a folder)")] = None
    """Which scenes (the first four), or which images."""
    size: Annotated[int | None, arg(help_behavior_hint="(default: 300 scenes, or all images)")] = None
    """How many at most, the first ones."""
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
        if self.size is not None and self.size < 1:
            raise UsageError(f"--size must be 1 or more, not {self.size}.")
        if self.refinement is not None and self.refinement < 0:
            raise UsageError(f"--refinement must be 0 rounds or more, not {self.refinement}.")
        if self.method != "student" and (self.model, self.naming, self.background) != (None, None, None):
            raise UsageError("--model, --naming and --background go with --method student.")
        from zeroseg.evaluation import evaluate, iou_per_class, open_dataset
        from zeroseg.evaluation.cost import encoding_flops

        dataset = open_dataset(self.dataset, self.split, self.size, self.data)
        split = self.split or splits_of(self.dataset)[0]
        segmenter = self._segmenter()
        with counting("evaluating", len(dataset), self._unit) as progress:
            result = evaluate(segmenter, dataset, progress)
        flops = encoding_flops(segmenter, next(iter(dataset)).image)
        read = result.read_out
        console = Console(highlight=False, soft_wrap=True)
        console.print(_table(dict(zip(result.classes, iou_per_class(result.confusion).tolist(), strict=True))))
        console.print(f"{result.dataset}, {result.images} {split} {self._unit}, {self.method}")
        console.print(f"pixels named by {read.naming}; background: ", end="")
        console.print(_rule(read.background, read.product_threshold, read.margin), end="")
        console.print(f"; {read.refinement} rounds of refinement")
        console.print(f"mIoU {result.miou:.3f}")
        console.print(f"mIoU had each of the {read.naming} its majority class, drawn alike: {result.oracle_miou:.3f}")
        console.print(f"{flops / 1e9:,.2f} GFLOP an image")
        if self.json is not None:
            how = {"method": self.method, "model": self.model, "split": split, "flops_an_image": flops}
            figures = how | result.summary()
            write_text_atomically(self.json, json.dumps(figures, indent=2) + "\n")
        return 0

    @property
    def _unit(self) -> str:
        return "scenes" if self.dataset in PICTUREBOOKS else "images"

    def _segmenter(self) -> zeroseg.Segmenter:
        """The student, or a yardstick with its margin tuned where there is something to tune it on."""
        if self.method == "student":
            return self._student()
        from zeroseg.baselines import READ_OUT, open_yardstick
        from zeroseg.cli.loading import load_teacher
        from zeroseg.evaluation import open_tuning_set, tune_margin
        from zeroseg.teacher import BUNDLED_NAME

        teacher = load_teacher(self.teacher or BUNDLED_NAME)
        read_out = replace(READ_OUT, refinement=self.refinement or 0)
        segmenter = zeroseg.Segmenter(open_yardstick(self.method, teacher), teacher, read_out)
        try:
            dataset = open_tuning_set(self.dataset, self.split, TUNING_IMAGES, self.data)
        except DatasetError as error:
            print(f"the margin stays {read_out.margin:g}, not tuned: {error}", flush=True)
            return segmenter
        kind = "validation" if self.dataset in PICTUREBOOKS else "train"
        print(f"tuning the margin on {len(dataset)} {kind} {self._unit}", flush=True)
        return tune_margin(segmenter, dataset)

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
