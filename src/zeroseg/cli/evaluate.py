"""`zeroseg evaluate`: mIoU on a data set with masks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from rich.console import Console
from rich.table import Table
from tyro.conf import arg

import zeroseg
from zeroseg.cli.messages import UsageError
from zeroseg.cli.parsing import check_rounds, parse
from zeroseg.cli.progress import counting
from zeroseg.dataset_names import PICTUREBOOKS, DatasetName, SplitName, splits_of
from zeroseg.errors import DatasetError
from zeroseg.files import write_text_atomically
from zeroseg.versions import versions

if TYPE_CHECKING:  # torch is loaded when something is measured, not for --help
    from zeroseg.baselines import Yardstick
    from zeroseg.evaluation import Protocol, Result, Sweep
    from zeroseg.student.config import ReadOut
    from zeroseg.vocabulary import Vocabulary

TUNING_IMAGES = 100
EXAMPLES = 4  # of the best and of the worst pictures, in a report
ProtocolName = Literal["own", "paper", "tcl", "scliplike"]
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
      zeroseg evaluate --dataset voc21 --data VOCdevkit --method naclip --protocol scliplike --report voc21
    """

    dataset: DatasetName = "picturebook-voc"
    """The picturebook's 20 everyday nouns and background, all nouns and stuff, all nouns and background; or real."""
    data: Annotated[Path | None, arg(metavar="FOLDER", help_behavior_hint="(required for real data sets)")] = None
    """Where a real data set is."""
    model: Annotated[str | None, arg(metavar="MODEL", help_behavior_hint="(default: the bundled one)")] = None
    """A student: a folder, or the name of a hub repository."""
    method: Literal[
        "student", "maskclip", "sclip", "naclip", "clearclip", "crops", "windows", "background", "oracle"
    ] = "student"
    """What segments. The last two are the ends of the scale: background everywhere, and true regions that the teacher
    names."""
    teacher: Annotated[
        str | None, arg(metavar="CLIP", help_behavior_hint="(default: the one the student names, or the bundled one)")
    ] = None
    """A CLIP: a folder, the name of a hub repository, or "bundled"."""
    split: Annotated[SplitName | None, arg(help_behavior_hint="(default: held-out; val; all of a folder)")] = None
    """Which scenes (the first four), or which images."""
    size: Annotated[int | None, arg(help_behavior_hint="(default: 300 scenes, or all images)")] = None
    """How many at most, the first ones."""
    protocol: ProtocolName = "own"
    """How pictures are seen and named: the model's own way, the paper's, TCL's (its column with refinement if
    --refinement is given) or one like SCLIP's. Figures under different protocols cannot be compared."""
    background: Annotated[
        Literal["product", "margin", "softmax", "sigmoid", "none"] | None, arg(help_behavior_hint=OWN)
    ] = None
    """The student's rule for the background (see `zeroseg segment --help`)."""
    naming: Annotated[Literal["segments", "patches"] | None, arg(help_behavior_hint=OWN)] = None
    """Whether a pixel takes the name of its segment (the paper's) or of its patch."""
    refinement: Annotated[int | None, arg(metavar="ROUNDS", help_behavior_hint="(default: the model's own, or 0)")] = (
        None
    )
    """How many rounds of refinement let the masks follow the picture's edges; 0 for none (the paper's)."""
    calibrate: bool = False
    """Part things from background without any label: the margin is calibrated on 100 images whose masks are not used
    (unlabelled scenes, train images, or those that are measured)."""
    sweep: bool = False
    """Try the background's threshold at many values, too, on what is measured: the best is an upper bound."""
    report: Annotated[Path | None, arg(metavar="FOLDER", help_behavior_hint="")] = None
    """Write result.json, result.md and report.html (classes, confusions, best and worst pictures) here."""
    json: Annotated[Path | None, arg(metavar="FILE", help_behavior_hint="")] = None
    """Write the figures and the confusion matrix here, too."""

    def run(self) -> int:
        """Measure, print, and write what was asked for."""
        self._check()
        from zeroseg.evaluation import evaluate, open_dataset, protocol_for, sweep
        from zeroseg.evaluation.cost import encoding_flops

        dataset = open_dataset(self.dataset, self.split, self.size, self.data)
        protocol = protocol_for(self.protocol, self.dataset, refined=bool(self.refinement))
        vocabulary = protocol.speaks(dataset.vocabulary)
        segmenter = self._segmenter(protocol, vocabulary)
        with counting("evaluating", len(dataset), self._unit) as progress:
            result = evaluate(segmenter, dataset, progress, vocabulary, EXAMPLES if self.report else 0)
        tried = None
        if self.sweep:
            with counting("sweeping", len(dataset), self._unit) as progress:
                tried = sweep(segmenter, dataset, (), progress, vocabulary)
        flops = encoding_flops(segmenter, next(iter(dataset)).image)
        self._print(result, tried, flops)
        self._write(result, tried, protocol, flops)
        return 0

    def _check(self) -> None:
        """Refuse what makes no sense, before anything is loaded."""
        if self.size is not None and self.size < 1:
            raise UsageError(f"--size must be 1 or more, not {self.size}.")
        check_rounds(self.refinement)
        if self.method != "student" and (self.model, self.naming, self.background) != (None, None, None):
            raise UsageError("--model, --naming and --background go with --method student.")
        if self.protocol != "own" and (self.background is not None or self.calibrate):
            raise UsageError(
                f"the protocol {self.protocol} has a background rule of its own: leave --background and "
                "--calibrate out."
            )
        if self.method == "oracle" and self.refinement:
            raise UsageError("the oracle's regions are true: leave --refinement out.")
        if self.protocol in ("paper", "scliplike") and self.refinement:
            raise UsageError(f"the protocol {self.protocol} does not refine: leave --refinement out.")

    def _print(self, result: Result, tried: Sweep | None, flops: float) -> None:
        from zeroseg.evaluation import iou_per_class

        read, (low, high) = result.read_out, result.interval
        console = Console(highlight=False, soft_wrap=True)
        console.print(_table(dict(zip(result.classes, iou_per_class(result.confusion).tolist(), strict=True))))
        split = self.split or splits_of(self.dataset)[0]
        console.print(
            f"{result.dataset}, {result.images} {split} {self._unit}, {self.method}, protocol {self.protocol}"
        )
        console.print(f"pixels named by {read.naming}; background: {_rule(read)}", end="")
        console.print(f"; {read.refinement} rounds of refinement")
        console.print(f"mIoU {result.miou:.3f} (95 % interval {low:.3f} to {high:.3f})")
        console.print(f"mIoU had each of the {read.naming} its majority class, drawn alike: {result.oracle_miou:.3f}")
        if tried is not None:
            console.print(
                f"mIoU with the best {tried.threshold.replace('_', ' ')} on what is measured, {tried.best:g}: "
                f"{max(tried.mious):.3f}"
            )
        console.print(f"{flops / 1e9:,.2f} GFLOP an image")

    def _write(self, result: Result, tried: Sweep | None, protocol: Protocol, flops: float) -> None:
        """The files that were asked for."""
        how = {
            "method": self.method,
            "model": self.model,
            "teacher": self.teacher,
            "split": self.split or splits_of(self.dataset)[0],
            "protocol": protocol.settings(),
            "calibrated": self.calibrate,
            "flops_an_image": flops,
            "versions": versions(),
        }
        figures = how | result.summary() | ({} if tried is None else {"sweep": asdict(tried)})
        text = json.dumps(figures, indent=2) + "\n"
        if self.json is not None:
            write_text_atomically(self.json, text)
        if self.report is not None:
            from zeroseg.evaluation import page

            said = {
                "data set": f"{result.dataset}, {how['split']}",
                "method": self.method,
                "model": self.model or "bundled",
                "protocol": self.protocol,
                "background": _rule(result.read_out),
                "rounds of refinement": result.read_out.refinement,
                "pixels named by": result.read_out.naming,
                "GFLOP an image": flops / 1e9,
            }
            write_text_atomically(self.report / "result.json", text)
            write_text_atomically(self.report / "result.md", page.markdown(result, said))
            footer = f"Made by zeroseg {zeroseg.__version__} evaluate on {date.today().isoformat()}."
            write_text_atomically(self.report / "report.html", page.page(result, said, tried, footer))
            print(f"the report: {self.report / 'report.html'}")

    @property
    def _unit(self) -> str:
        return "scenes" if self.dataset in PICTUREBOOKS else "images"

    def _segmenter(self, protocol: Protocol, vocabulary: Vocabulary) -> zeroseg.Segmenter:
        """The student or a yardstick under the protocol, its margin tuned or calibrated where it has one to choose."""
        segmenter = self._student() if self.method == "student" else self._yardstick(self.method)
        encoder, read_out = protocol.sees(segmenter.encoder), protocol.reads(segmenter.read_out)
        segmenter = zeroseg.Segmenter(encoder, segmenter.teacher, read_out)
        if self.calibrate:
            return self._calibrated(segmenter, vocabulary)
        return self._tuned(segmenter) if self.method != "student" and self.protocol == "own" else segmenter

    def _yardstick(self, method: Yardstick) -> zeroseg.Segmenter:
        from zeroseg.baselines import yardstick_segmenter
        from zeroseg.cli.loading import load_teacher
        from zeroseg.teacher import BUNDLED_NAME

        teacher = load_teacher(self.teacher or BUNDLED_NAME)
        return yardstick_segmenter(method, teacher, self.refinement or 0)

    def _tuned(self, segmenter: zeroseg.Segmenter) -> zeroseg.Segmenter:
        """With its margin tuned, where there is something to tune it on."""
        from zeroseg.evaluation import open_tuning_set, tune_margin

        try:
            dataset = open_tuning_set(self.dataset, self.split, TUNING_IMAGES, self.data)
        except DatasetError as error:
            print(f"the margin stays {segmenter.read_out.margin:g}, not tuned: {error}", flush=True)
            return segmenter
        kind = "validation" if self.dataset in PICTUREBOOKS else "train"
        print(f"tuning the margin on {len(dataset)} {kind} {self._unit}", flush=True)
        return tune_margin(segmenter, dataset)

    def _calibrated(self, segmenter: zeroseg.Segmenter, vocabulary: Vocabulary) -> zeroseg.Segmenter:
        """With its margin calibrated on images whose masks are not looked at."""
        from zeroseg.evaluation import calibrate_margin, open_dataset, open_tuning_set

        try:
            if self.dataset in PICTUREBOOKS:
                dataset = open_dataset(self.dataset, "unlabelled", TUNING_IMAGES)
            else:
                dataset = open_tuning_set(self.dataset, self.split, TUNING_IMAGES, self.data)
        except DatasetError:
            dataset = open_dataset(self.dataset, self.split, TUNING_IMAGES, self.data)
        print(f"calibrating the margin on {len(dataset)} {self._unit}, without their masks", flush=True)
        return calibrate_margin(segmenter, (sample.image for sample in dataset), vocabulary)

    def _student(self) -> zeroseg.Segmenter:
        from zeroseg.student.weights import BUNDLED

        changes = {"background": self.background, "naming": self.naming, "refinement": self.refinement}
        given = {name: value for name, value in changes.items() if value is not None}
        return zeroseg.Segmenter.from_pretrained(self.model or BUNDLED, self.teacher).reading(**given)


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
            return f"no label reaches {read.threshold:g} (TCL's)"
        case "none":
            return f"none, every pixel is named; labels for stuff lead by {read.margin:g} (cosine x 100)"


def _table(ious: Mapping[str, float]) -> Table:
    table = Table("class", "IoU")
    table.columns[1].justify = "right"
    for name, value in ious.items():
        table.add_row(name, "-" if isnan(value) else f"{value:.3f}")
    return table


def main(arguments: Sequence[str]) -> int:
    """Parse, and run."""
    return parse(Evaluate, "evaluate", arguments).run()
