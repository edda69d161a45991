"""Students on real photos beside every read-out of their teacher, on MSRC-21's test images.

Margins are tuned on images of `validation`, for students and read-outs alike, once for each naming; read-outs have a
student's words for the background. A student is also measured as it is saved: with its own naming, margin and
refinement.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import torch

from zeroseg.baselines import ITERATIONS, baseline_segmenter
from zeroseg.encoding import StudentEncoder
from zeroseg.evaluation import Counting, Dataset, Result, evaluate, iou_per_class, open_dataset, tune_margin
from zeroseg.evaluation.cost import encoding_flops
from zeroseg.evaluation.remembering import remembering
from zeroseg.experiments import Record
from zeroseg.experiments.records import Metrics, find_record, short
from zeroseg.method_names import BaselineName, Naming
from zeroseg.segmenter import Segmenter
from zeroseg.student.config import ReadOut
from zeroseg.teacher import Teacher
from zeroseg.versions import versions

NAME = "photos-test"  # the folder of the records
ALL, OBJECTS = "msrc21", "msrc21-objects"
READ_OUTS: dict[BaselineName, str] = {
    "windows": "its teacher on sliding windows",
    "crops": "its teacher on 4 x 4 crops",
    "maskclip": "its teacher's dense map, MaskCLIP-style",
}
STUDENT = "student"
TIMED = 5  # images


@dataclass(frozen=True)
class PhotoSets:
    """MSRC-21: its folder, and how many images are measured and tuned on at most (None: all)."""

    folder: Path
    test: int | None = None
    validation: int | None = 100

    def open(self, dataset: str, split: str) -> Dataset:
        """A data set's first images of a split. Raises `DatasetError`."""
        return open_dataset(dataset, split, self.test if split == "test" else self.validation, self.folder)


@dataclass(frozen=True)
class Subject:
    """What is measured: a student, or a read-out of its teacher. `fingerprint` identifies the weights."""

    name: str
    seed: int
    segmenter: Segmenter
    fingerprint: str
    namings: tuple[Naming, ...] = ("patches",)


def read_outs(teacher: Teacher, own: ReadOut) -> list[Subject]:
    """All read-outs of a teacher, with a student's background: its rule, and its words with their limit of likeness."""
    segmenters = {name: baseline_segmenter(name, teacher) for name in READ_OUTS}
    names = ("background", "background_words", "alike", "background_things")
    background = {name: getattr(own, name) for name in names}
    return [
        Subject(name, 0, segmenter.reading(**background), teacher.fingerprint) for name, segmenter in segmenters.items()
    ]


def student_subject(seed: int, segmenter: Segmenter) -> Subject:
    """A student, with the number of its seed."""
    assert isinstance(segmenter.encoder, StudentEncoder)
    digest = hashlib.sha256()
    for name, tensor in sorted(segmenter.encoder.student.state_dict().items()):
        digest.update(name.encode() + tensor.detach().cpu().numpy().tobytes())
    return Subject(STUDENT, seed, segmenter, digest.hexdigest()[:16], ("patches", "segments"))


def measure_missing(subjects: Sequence[Subject], sets: PhotoSets, records: Path, counting: Counting) -> None:
    """Measure and record all subjects without a record of the same weights and images. Raises `DatasetError`."""
    for subject in subjects:
        settings = _settings(subject, sets)
        known = find_record(records, NAME, subject.name, subject.seed)
        if known is None or {name: known.settings.get(name) for name in settings} != settings:
            _measured(subject, sets, settings, counting).write(records)


def time_recorded(subjects: Sequence[Subject], sets: PhotoSets, records: Path) -> None:
    """Add the seconds that an image takes to the records of subjects: the median of a few, refined, with all words."""
    dataset = sets.open(ALL, "test")
    images = [dataset.sample(number).image for number in range(min(TIMED, len(dataset)))]
    for subject in subjects:
        known = find_record(records, NAME, subject.name, subject.seed)
        if known is not None:
            refined = subject.segmenter.reading(refinement=ITERATIONS)
            refined(images[0], dataset.vocabulary)  # the words are embedded once
            took: list[float] = []
            for image in images:
                start = time.perf_counter()
                refined(image, dataset.vocabulary)
                took.append(time.perf_counter() - start)
            timed = {"seconds": short(median(took)), "threads": torch.get_num_threads()}
            replace(known, settings=known.settings | timed).write(records)


def _settings(subject: Subject, sets: PhotoSets) -> dict[str, Any]:
    counts = {split: len(sets.open(ALL, split)) for split in ("validation", "test")}
    return {"weights": subject.fingerprint, "teacher": subject.segmenter.teacher.fingerprint, "images": counts}


def _measured(subject: Subject, sets: PhotoSets, settings: Mapping[str, Any], counting: Counting) -> Record:
    own, test = subject.segmenter, {name: sets.open(name, "test") for name in (ALL, OBJECTS)}
    others = sets.open(OBJECTS, "validation")
    segmenter = remembering(own)
    scores: dict[str, dict[str, Metrics]] = {name: {} for name in test}
    images = len(test[ALL])
    total = len(subject.namings) * (len(others) + 4 * images) + (images if subject.name == STUDENT else 0)
    with counting(f"{subject.name} {subject.seed}", total, "images") as progress:
        for naming in subject.namings:
            plain = tune_margin(segmenter.reading(naming=naming, refinement=0), others)
            progress(len(others))
            for name, iterations in ((naming, 0), (f"{naming}, refined", ITERATIONS)):
                reading = plain.reading(refinement=iterations)
                for dataset in test:
                    scores[dataset][name] = _metrics(evaluate(reading, test[dataset], progress))
        if subject.name == STUDENT:
            scores[OBJECTS]["saved"] = _metrics(evaluate(segmenter, test[OBJECTS], progress))
    flops = encoding_flops(own, test[ALL].sample(0).image)
    return Record(
        NAME, subject.name, subject.seed, {**settings, "flops": flops}, samples=0, minutes=0.0, images_per_second=None,
        versions=versions(), curve={"training": {}, "validation": {}}, scores={"test": scores},
    )  # fmt: skip


def _metrics(result: Result) -> Metrics:
    (low, high), read = result.interval, result.read_out
    ious = iou_per_class(result.confusion).tolist()
    return {
        "miou": short(result.miou),
        "interval": [short(low), short(high)],
        "upper_bound_miou": short(result.upper_bound_miou),
        "read_out": {"naming": read.naming, "refinement": read.refinement, **read.background.to_json()},
        "iou": {name: short(iou) for name, iou in zip(result.classes, ious, strict=True)},
    }
