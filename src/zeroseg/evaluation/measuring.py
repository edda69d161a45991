"""Measuring a segmenter on a data set under a protocol, for the command line and for experiments."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from zeroseg.dataset_names import PICTUREBOOKS, tuning_split, unit_of
from zeroseg.encoding import StudentEncoder
from zeroseg.errors import DatasetError
from zeroseg.evaluation.benchmark import Result, evaluate
from zeroseg.evaluation.dataset import CheckableDataset, Dataset
from zeroseg.evaluation.datasets import open_dataset, open_tuning_set
from zeroseg.evaluation.masks import MaskOptions
from zeroseg.evaluation.partial import partial_path
from zeroseg.evaluation.protocols import Protocol
from zeroseg.evaluation.record import OWN_MARGIN, Tuned
from zeroseg.evaluation.thresholds import Sweep, calibrate_margin, sweep_finely, tune_margin
from zeroseg.exported import ExportedEncoder
from zeroseg.segmenter import Segmenter
from zeroseg.vocabulary import Vocabulary

Counting = Callable[[str, int, str], AbstractContextManager[Callable[[int], None]]]  # title, total, unit -> progress
MarginFrom = Literal["own", "tuned", "calibrated"]
NAMED = 3  # bad images that an error names


def uncounted(_title: str, _total: int, _unit: str) -> AbstractContextManager[Callable[[int], None]]:
    """No progress."""
    return nullcontext(lambda _: None)


@dataclass(frozen=True)
class OtherImages:
    """Images other than the measured ones, which are those of `split` (None: the split that figures are reported on).

    `folder`: the folder of a real data set; `masks`: how a user's own masks are read; `count`: how many images at most.
    """

    dataset: str
    split: str | None = None
    folder: Path | None = None
    masks: MaskOptions | None = None
    count: int = 100

    def with_masks(self) -> tuple[Dataset, str]:
        """Images whose masks may be used, and a name for them. Raises `DatasetError` if there are none."""
        images = _readable(open_tuning_set(self.dataset, self.split, self.count, self.folder, self.masks))
        return images, f"{len(images)} {tuning_split(self.dataset, self.split)} {unit_of(self.dataset)}"

    def without_masks(self) -> tuple[Dataset, str]:
        """Images whose masks are not used, and a name for them: not the measured ones, if there are others."""
        if self.dataset in PICTUREBOOKS:
            scenes = open_dataset(self.dataset, "unlabelled", self.count)
            return scenes, f"{len(scenes)} unlabelled scenes"
        try:
            return self.with_masks()
        except DatasetError:
            images = _readable(open_dataset(self.dataset, self.split, self.count, self.folder, self.masks))
            return images, f"{len(images)} of the measured images"


def _readable(images: CheckableDataset) -> CheckableDataset:
    """The images without those that cannot be measured."""
    bad = {problem.name for problem in images.check().problems}
    return images.without(bad) if bad else images


def checked(
    dataset: CheckableDataset,
    skip_bad: bool,
    counting: Counting = uncounted,
    say: Callable[[str], None] = lambda _: None,
) -> tuple[CheckableDataset, tuple[str, ...]]:
    """The data set without images that cannot be measured, and one sentence for each image that was left out.

    `say` is called with notes on unclear files. Raises `DatasetError` if images cannot be measured (it counts and names
    them), unless `skip_bad`; also if no image is left.
    """
    with counting("checking", len(dataset), unit_of(dataset.name)) as progress:
        found = dataset.check(progress)
    for note in found.notes:
        say(note)
    if not found.problems:
        return dataset, ()
    bad = tuple(problem.sentence for problem in found.problems)
    if not skip_bad:
        more = f" (and {len(bad) - NAMED} more)" if len(bad) > NAMED else ""
        raise DatasetError(
            f"{dataset.name}: {len(bad)} of {len(dataset)} images cannot be measured: {' '.join(bad[:NAMED])}{more} "
            "Correct them, or leave them out with --skip-bad."
        )
    return dataset.without({problem.name for problem in found.problems}), bad


@dataclass(frozen=True)
class Measurement:
    """A result, with the segmenter and the words that were measured.

    `margin`: in words, how the background's threshold was found. `tuned`: if it was calibrated without masks, the
    result with the margin that is best on the masks of other images. `partial`: the file in which the result's sums are
    kept, so that `measure` can be called again without measuring; to be removed when everything is done.
    """

    result: Result
    segmenter: Segmenter
    vocabulary: Vocabulary
    margin: str = OWN_MARGIN
    tuned: Tuned | None = None
    sweep: Sweep | None = None
    partial: Path | None = None


def under_protocol(segmenter: Segmenter, dataset: Dataset, protocol: Protocol) -> tuple[Segmenter, Vocabulary]:
    """A segmenter with the pictures and the read-out of a protocol, and a data set's vocabulary with its words."""
    return protocol.adapt(segmenter), protocol.adapt_vocabulary(dataset.vocabulary)


def measure(
    segmenter: Segmenter,
    dataset: Dataset,
    protocol: Protocol,
    margin: MarginFrom = "own",
    others: OtherImages | None = None,
    *,
    examples: int = 0,
    swept: bool = False,
    resumes: bool = False,
    counting: Counting = uncounted,
    say: Callable[[str], None] = lambda _: None,
) -> Measurement:
    """Measure the mIoU (0..1) of a segmenter on a data set under a protocol.

    `margin`: whether the background's threshold is the segmenter's own ("own"), tuned on masks of `others` ("tuned";
    without other masks it stays the own one, which `say` reports), or calibrated on `others` without masks
    ("calibrated"; then the tuned one is also measured). `examples`: how many of the best and worst images are kept.
    `swept`: whether many thresholds are also tried on the measured images. `resumes`: whether a measurement that is
    interrupted is kept and continued (`partial_path`; only for data sets with a signature). `counting` shows
    progress, `say` is called with one sentence at a time.

    Raises `DatasetError` and `ImageError` for masks and images that cannot be read.
    """
    segmenter, vocabulary = under_protocol(segmenter, dataset, protocol)
    unit, how, tuned = unit_of(dataset.name), _origin(segmenter, protocol), None

    def evaluated(chosen: Segmenter, examples: int = 0, partial: Path | None = None) -> Result:
        with counting("evaluating", len(dataset), unit) as progress:
            return evaluate(chosen, dataset, progress, vocabulary, examples, partial)

    if margin != "own" and others is not None:
        best, where = _tuned(segmenter, others, vocabulary, say)
        if margin == "tuned":
            segmenter, how = best, f"tuned on {where}" if where else "not tuned"
        else:
            if where:
                miou = round(evaluated(best).miou, 4)
                tuned = Tuned(best.read_out.background.threshold, f"tuned on {where}", miou)
            segmenter, where = _calibrated(segmenter, others, vocabulary, say)
            how = f"calibrated on {where}, without masks"
    partial = None
    if resumes and isinstance(dataset, CheckableDataset):
        partial = partial_path(segmenter, dataset, vocabulary, say)
    result, tried = evaluated(segmenter, examples, partial), None
    if swept:
        with counting("sweeping", 2 * len(dataset), unit) as progress:
            tried = sweep_finely(segmenter, dataset, (), progress, vocabulary)
    return Measurement(result, segmenter, vocabulary, how, tuned, tried, partial)


def _origin(segmenter: Segmenter, protocol: Protocol) -> str:
    """Where a threshold that is neither tuned nor calibrated comes from."""
    if protocol.background is not None:
        return "the protocol's"
    encoder = segmenter.encoder
    is_student = isinstance(encoder, StudentEncoder | ExportedEncoder)
    own = encoder.config.read_out.background.name if is_student else None
    return OWN_MARGIN if own in (None, segmenter.read_out.background.name) else "the default of this rule"


def _tuned(
    segmenter: Segmenter, others: OtherImages, vocabulary: Vocabulary, say: Callable[[str], None]
) -> tuple[Segmenter, str]:
    """The segmenter with the margin that is best on other images, and their name; unchanged and "" without any."""
    try:
        images, where = others.with_masks()
    except DatasetError as error:
        say(f"the margin stays {segmenter.read_out.background.threshold:g}, not tuned: {error}")
        return segmenter, ""
    say(f"tuning the margin on {where}")
    return tune_margin(segmenter, images, vocabulary=vocabulary), where


def _calibrated(
    segmenter: Segmenter, others: OtherImages, vocabulary: Vocabulary, say: Callable[[str], None]
) -> tuple[Segmenter, str]:
    """The segmenter with a margin that was calibrated on other images, and their name."""
    images, where = others.without_masks()
    say(f"calibrating the margin on {where}, without their masks")
    return calibrate_margin(segmenter, (sample.image for sample in images), vocabulary), where
