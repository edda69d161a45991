"""`zeroseg evaluate`: mIoU on a data set with masks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from rich.console import Console
from rich.table import Table
from tyro.conf import arg

import zeroseg
from zeroseg.cli.messages import UsageError, say
from zeroseg.cli.parsing import check_fraction, check_iterations, check_positive, parse, with_new_names
from zeroseg.cli.progress import counting
from zeroseg.dataset_names import DatasetName, SplitName, splits_of, unit_of
from zeroseg.files import check_target, write_text_atomically
from zeroseg.method_names import BaselineName, Naming, ProtocolName, RuleName
from zeroseg.models import DEFAULT, default_for

if TYPE_CHECKING:  # torch is loaded for a measurement, not for --help
    from zeroseg.evaluation import Dataset, EvaluationRecord
    from zeroseg.evaluation.masks import MaskOptions

EXAMPLES = 4  # of the best and of the worst pictures, in a report
REFINING, ROUNDS = ("tcl", "naclip"), 10  # protocols with refinement
RENAMED = {("--method", "oracle"): "true-regions", ("--protocol", "scliplike"): "sclip"}
Names = dict[str, Any]  # of model and teacher
OWN = "(default: the model's own)"
BY_DATASET = f"(default: picturebook for its data sets, else {DEFAULT})"


@dataclass(frozen=True)
class Evaluate:
    """Measure mIoU on images with known masks.

    Picturebook data sets are drawn; all others are read from --data, the folder with the unpacked official download, or
    one of your own (docs/datasets.md). All pixels of all images are counted in one confusion matrix. A student is read
    with its saved settings, unless you choose others. The other methods are baselines that use only the teacher: its
    patches, with one of four changes of its last layer (maskclip, sclip, naclip, clearclip); 4 x 4 crops, or sliding
    windows, each embedded separately (crops, windows). The margin of their background is tuned on validation scenes, or
    on images of the official train split of a real data set (of validation for msrc21); without these it is not tuned.
    The operations of all networks for one image are counted, too.

    examples:
      zeroseg evaluate --dataset picturebook-voc
      zeroseg evaluate --dataset picturebook-context --model run/student --json result.json
      zeroseg evaluate --dataset picturebook-voc --method naclip --refinement 10
      zeroseg evaluate --dataset voc21 --data VOCdevkit --model run/student
      zeroseg evaluate --dataset voc21 --data VOCdevkit --method naclip --protocol naclip --report voc21
    """

    dataset: DatasetName = "picturebook-voc"
    """The picturebook's 20 everyday nouns and background, all nouns and stuff, all nouns and background; or real."""
    data: Annotated[Path | None, arg(metavar="FOLDER", help_behavior_hint="(required for real data sets)")] = None
    """Where a real data set is."""
    model: Annotated[str | None, arg(metavar="MODEL", help_behavior_hint=BY_DATASET)] = None
    """A student, or the teacher of a baseline: a bundled one by name, a folder, or the name of a hub repository."""
    method: Literal["student", BaselineName] = "student"
    """The method. The last two are references: background everywhere, and true regions that the teacher names."""
    teacher: Annotated[
        str | None, arg(metavar="NAME", help_behavior_hint="(default: the one the student names, or --model)")
    ] = None
    """A teacher: a bundled one by name, a folder, or the name of a hub repository."""
    split: Annotated[SplitName | None, arg(help_behavior_hint="(default: held-out; val; test; all of a folder)")] = None
    """Which scenes (the first four), or which images."""
    size: Annotated[int | None, arg(help_behavior_hint="(default: 300 scenes, or all images)")] = None
    """Measure at most this number of images, the first ones."""
    ignore: Annotated[
        tuple[str, ...] | None, arg(metavar="NUMBER...|none", help_behavior_hint="(default: 255 in a folder)")
    ] = None
    """Numbers in your own masks (ids of categories in COCO's JSON) whose pixels are ignored, or "none"."""
    masks: Annotated[
        Literal["stored", "upright"] | None, arg(help_behavior_hint="(default: from the files, else upright)")
    ] = None
    """Whether your own masks fit the stored pixels or the upright picture, if EXIF rotates or flips a photo."""
    protocol: ProtocolName = "own"
    """Sizes, words, background rule, order of steps: the model's, the paper's, TCL's, SCLIP's, NACLIP's, ClearCLIP's
    (--refinement 0: TCL's, NACLIP's unrefined columns). Figures of different protocols cannot be compared."""
    background: Annotated[RuleName | None, arg(help_behavior_hint=OWN)] = None
    """The student's rule for the background (see `zeroseg segment --help`)."""
    naming: Annotated[Naming | None, arg(help_behavior_hint=OWN)] = None
    """Whether a pixel takes the name of its segment (the paper's) or of its patch."""
    refinement: Annotated[
        int | None, arg(metavar="ITERATIONS", help_behavior_hint="(default: the model's own; 10 for a baseline)")
    ] = None
    """Iterations of refinement, in which the masks follow the picture's edges; 0 for none (the paper's)."""
    smallest_region: Annotated[float | None, arg(help_behavior_hint=OWN)] = None
    """After refinement, smaller areas (fractions of the picture) take the class around them."""
    calibrate: bool = False
    """Calibrate the margin on images without their masks (unlabelled scenes, train images, or measured images). If
    there are images other than the measured ones, the mIoU with a margin tuned on their masks is printed, too."""
    tuning_images: int = 100
    """How many other images a margin is tuned or calibrated on, at most."""
    sweep: bool = False
    """Also try many values of the background's threshold on the measured images: the best mIoU is an upper bound."""
    skip_bad: bool = False
    """Leave out images that cannot be read or whose masks do not fit, and print their number with the result."""
    report: Annotated[Path | None, arg(metavar="FOLDER", help_behavior_hint="")] = None
    """Write result.json, result.md and report.html (classes, confusions, best and worst pictures) here."""
    json: Annotated[Path | None, arg(metavar="FILE", help_behavior_hint="")] = None
    """Write the figures and the confusion matrix to this file."""

    def run(self) -> int:
        """Measure, print, and write the files that were requested."""
        self._check()
        from zeroseg.hub import locate

        model = self.model or default_for(self.dataset)
        locate(model, self.teacher, "student" if self.method == "student" else "teacher")
        from zeroseg.evaluation import checked, open_dataset

        dataset = open_dataset(self.dataset, self.split, self.size, self.data, self._masks())
        if not dataset.has_background and (self.sweep or self.calibrate):
            raise UsageError(f"{dataset.name} has no background: leave --sweep and --calibrate out.")
        dataset, skipped = checked(dataset, self.skip_bad, counting, say)
        try:
            record, partial = self._measured(dataset, skipped)
        except KeyboardInterrupt:
            say("stopped; the same command continues after the images that were measured.")
            raise
        self._print(record)
        self._write(record)
        if partial is not None:
            partial.unlink(missing_ok=True)
        return 0

    def _check(self) -> None:
        """Raise `UsageError` for options that do not fit together, and `OutputError`, before anything is loaded."""
        check_positive("--size", self.size)
        check_positive("--tuning-images", self.tuning_images)
        check_iterations(self.refinement)
        check_fraction("--smallest-region", self.smallest_region)
        for target in (self.json, self.report and self.report / "result.json"):
            if target is not None:
                check_target(target)
        if self.method != "student":
            self._check_baseline()
        if self.calibrate and self.background not in (None, "margin"):
            raise UsageError(f"--calibrate finds a margin: leave --background {self.background} out.")
        if self.protocol == "own":
            return
        if self.background is not None or self.calibrate or self.smallest_region is not None:
            raise UsageError(
                f"the protocol {self.protocol} has a background rule of its own and keeps all regions: leave "
                "--background, --calibrate and --smallest-region out."
            )
        known = (0, ROUNDS) if self.protocol in REFINING else (0,)
        if self.refinement is not None and self.refinement not in known:
            allowed = " or ".join(map(str, known))
            raise UsageError(f"the protocol {self.protocol} refines in {allowed} iterations, not {self.refinement}.")

    def _masks(self) -> MaskOptions | None:
        """How a user's own masks are read; None without --ignore and --masks."""
        from zeroseg.evaluation.masks import MaskOptions

        if self.ignore is None:
            return None if self.masks is None else MaskOptions(fit=self.masks)
        numbers = () if self.ignore == ("none",) else self.ignore
        if not self.ignore or not all(number.isascii() and number.isdigit() for number in numbers):
            raise UsageError(f'--ignore takes whole numbers from 0, or "none" alone, not {" ".join(self.ignore)!r}.')
        return MaskOptions(tuple(map(int, numbers)), self.masks)

    def _check_baseline(self) -> None:
        if (self.naming, self.background) != (None, None):
            raise UsageError("--naming and --background go with --method student.")
        if self.model is not None and self.teacher is not None:
            raise UsageError(f"{self.method} reads out one teacher: name it with --model or --teacher, not both.")
        changed = self.refinement or self.smallest_region or self.calibrate
        if self.method in ("true-regions", "background") and changed:
            raise UsageError(f"the reference {self.method} cannot be changed: leave --refinement and --calibrate out.")

    def _measured(self, dataset: Dataset, skipped: tuple[str, ...]) -> tuple[EvaluationRecord, Path | None]:
        """The result with all settings, and the file in which its sums are kept until all is written."""
        from zeroseg.evaluation import EvaluationRecord, OtherImages, measure, protocol_for
        from zeroseg.evaluation.cost import encoding_flops

        model, names = self._student() if self.method == "student" else self._baseline(self.method)
        if self.smallest_region is not None:
            model = model.reading(smallest_region=self.smallest_region)
        protocol = protocol_for(self.protocol, self.dataset, dataset.has_background, refined=self.refinement != 0)
        protocol = protocol.for_encoder(model.encoder)
        tunes = self.method not in ("student", "background") and self.protocol == "own"
        measured = measure(
            model,
            dataset,
            protocol,
            "calibrated" if self.calibrate else "tuned" if tunes else "own",
            OtherImages(self.dataset, self.split, self.data, self._masks(), self.tuning_images),
            examples=EXAMPLES if self.report else 0,
            swept=self.sweep,
            resumes=True,
            counting=counting,
            say=partial(print, flush=True),
        )
        record = EvaluationRecord(
            result=measured.result,
            split=self.split or splits_of(self.dataset)[0],
            folder=None if self.data is None else str(self.data),
            method=self.method,
            **names,
            device=str(model.teacher.device),
            shorter_side=protocol.shorter_side or measured.segmenter.encoder.shorter_side,
            protocol=protocol,
            vocabulary=measured.vocabulary,
            margin=measured.margin,
            flops=encoding_flops(measured.segmenter, dataset.sample(0).image),
            masks=self._masks(),
            skipped=skipped,
            tuned=measured.tuned,
            sweep=measured.sweep,
        )
        return record, measured.partial

    def _print(self, record: EvaluationRecord) -> None:
        from zeroseg.evaluation import iou_per_class

        result, (low, high) = record.result, record.result.interval
        split = "" if record.split == "all" else f"{record.split} "
        console = Console(highlight=False, soft_wrap=True)
        console.print(_table(dict(zip(result.classes, iou_per_class(result.confusion).tolist(), strict=True))))
        console.print(
            f"{result.dataset}, {result.images} {split}{unit_of(self.dataset)}, {self.method}, protocol {self.protocol}"
        )
        for matter in ("pictures", "words", "pixels named by", "background", "iterations of refinement"):
            console.print(f"{matter}: {record.in_words()[matter]}", markup=False)
        console.print(f"mIoU {result.miou:.3f} (95 % interval {low:.3f} to {high:.3f})")
        regions = result.read_out.naming
        console.print(
            f"upper bound: mIoU if each of the {regions} had its majority class {result.upper_bound_miou:.3f}"
        )
        if record.tuned is not None:
            tuned = record.tuned
            console.print(f"mIoU with the margin {tuned.images}, {tuned.margin:g}: {tuned.miou:.3f}")
        if record.sweep is not None:
            tried = record.sweep
            console.print(
                f"mIoU with the best {tried.threshold.replace('_', ' ')} on the measured images, {tried.best:g}: "
                f"{max(tried.mious):.3f}"
            )
        console.print(f"{record.flops / 1e9:,.2f} GFLOP an image")
        if record.shortfall:
            console.print(record.shortfall)
        if record.skipped:
            console.print(f"{len(record.skipped)} images were left out:", *record.skipped, sep="\n  ", markup=False)

    def _write(self, record: EvaluationRecord) -> None:
        """Write the files that were requested."""
        text = json.dumps(record.as_json(), indent=2, allow_nan=False) + "\n"
        if self.json is not None:
            write_text_atomically(self.json, text)
        if self.report is not None:
            from zeroseg.evaluation import page

            write_text_atomically(self.report / "result.json", text)
            write_text_atomically(self.report / "result.md", page.markdown(record))
            footer = f"Made by zeroseg {zeroseg.__version__} evaluate on {date.today().isoformat()}."
            write_text_atomically(self.report / "report.html", page.page(record, footer))
            print(f"the report: {self.report / 'report.html'}")

    def _baseline(self, method: BaselineName) -> tuple[zeroseg.Segmenter, Names]:
        """A baseline, and the name of its teacher."""
        from zeroseg.baselines import ITERATIONS, baseline_segmenter
        from zeroseg.cli.loading import load_teacher

        name = self.teacher or self.model or default_for(self.dataset)
        iterations = ITERATIONS if self.refinement is None else self.refinement
        return baseline_segmenter(method, load_teacher(name), iterations), {"model": None, "teacher": name}

    def _student(self) -> tuple[zeroseg.Segmenter, Names]:
        """A student, and the names of student and teacher."""
        from zeroseg.encoding import StudentEncoder
        from zeroseg.exported import ExportedEncoder

        given: dict[str, Any] = {"naming": self.naming, "refinement": self.refinement}
        model = self.model or default_for(self.dataset)
        segmenter = zeroseg.Segmenter.from_pretrained(model, self.teacher)
        if self.background is not None:
            given["background"] = segmenter.rule(self.background)
        segmenter = segmenter.reading(**{name: value for name, value in given.items() if value is not None})
        assert isinstance(segmenter.encoder, StudentEncoder | ExportedEncoder)
        return segmenter, {"model": model, "teacher": self.teacher or segmenter.encoder.config.teacher}


def _table(ious: Mapping[str, float]) -> Table:
    table = Table("class", "IoU")
    table.columns[1].justify = "right"
    for name, value in ious.items():
        table.add_row(name, "-" if isnan(value) else f"{value:.3f}")
    return table


def main(arguments: Sequence[str]) -> int:
    """Parse, and run."""
    return parse(Evaluate, "evaluate", with_new_names(arguments, RENAMED)).run()
