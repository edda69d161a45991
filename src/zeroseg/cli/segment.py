"""`zeroseg segment`: photos and words in; masks, overlays and figures out, in the formats of other tools."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional, UseAppendAction, arg

import zeroseg
from zeroseg.cli.label_options import LabelOptions, say_of_labels
from zeroseg.cli.mask_options import OWN, MaskOptions
from zeroseg.cli.messages import FAILED, UsageError, complain, say
from zeroseg.cli.parsing import check_device, check_positive, parse, with_new_options
from zeroseg.cli.segment_output import Lines, is_there
from zeroseg.files import check_folder, check_target, write_bytes_atomically
from zeroseg.locks import held
from zeroseg.method_names import Absent, DenseMethod, FormatName
from zeroseg.models import DEFAULT

if TYPE_CHECKING:
    from zeroseg.images import Found
    from zeroseg.segmenting import Outcome, Run, Summary

RENAMED = {"--smallest-region": "--min-area"}
GPU_BATCH = 16  # photos that a GPU sees at once
LARGEST_SIZE = 2048  # pixels of the shorter side


@dataclass(frozen=True)
class Segment:
    """Find in photos what you name.

    For every photo, --out receives NAME.png (a mask: pixel values are the numbers of the labels, with a palette),
    NAME.overlay.jpg (the photo tinted in the same colours, with a legend) and NAME.json (each label's fraction of the
    picture, score and colour), in folders like those of the photos. Each --format has a folder of its own beside them.
    Results that stand already are left as they are, so a long run can be stopped, and the same command goes on with it.
    Photos may have any size and orientation. Photos that cannot be read are named at the end; the others are segmented.
    Models are named by --model: `zeroseg models` lists those that are bundled, on this machine or on the hub.

    Without a student of your own, a teacher (a CLIP, or another model that embeds images and texts) can
    segment without training: --method names one of four dense read-outs of its patches.

    examples:
      zeroseg segment photo.jpg --labels "dog, grass, traffic light"
      zeroseg segment holiday/ --labels-file words.txt --out masks --format coco --format labelme --report masks.html
      zeroseg segment photo.jpg --labels "dog, grass" --method naclip --model openai/clip-vit-base-patch16
    """

    photos: Positional[Annotated[tuple[Path, ...], arg(metavar="PHOTO...", help_behavior_hint="(required)")]] = ()
    """Pictures, folders of them, or patterns such as "2024/**/*.jpg"."""
    of_labels: Annotated[LabelOptions, arg(name="")] = field(default_factory=LabelOptions)
    model: Annotated[str | None, arg(metavar="MODEL", help_behavior_hint=f"(default: {DEFAULT})")] = None
    """A student, or with --method a teacher: a bundled one by name, a folder, or the name of a hub repository."""
    method: Literal["student", DenseMethod] = "student"
    """The method: a distilled student, or a teacher without training."""
    teacher: Annotated[str | None, arg(metavar="NAME", help_behavior_hint="(default: the one the model names)")] = None
    """The teacher whose text encoder reads the labels: a bundled one, a folder, or the name of a hub repository."""
    out: Annotated[Path, arg(metavar="FOLDER")] = Path("out")
    """Where the results go."""
    format: UseAppendAction[Annotated[tuple[FormatName, ...], arg(help_behavior_hint="(default: none)")]] = ()
    """A further format, in a folder of its name in --out. May be given several times."""
    overlays: bool = True
    """Whether there is a NAME.overlay.jpg."""
    overwrite: bool = False
    """Segment all photos, also those whose results stand already."""
    report: Annotated[Path | None, arg(metavar="FILE", help_behavior_hint="(default: none)")] = None
    """A page to look at (HTML): photos with their masks, and how often each label was found."""
    json: bool = False
    """Print one JSON object for each photo, and one for all at the end, for programs."""
    absent: Absent = "drop"
    """Labels of which it is doubtful that they are in the photo at all: drop their areas, keep them, or ask."""
    device: Annotated[str | None, arg(metavar="NAME", help_behavior_hint="(default: cuda if there is one)")] = None
    """Where the network runs: cpu, cuda, cuda:1, .."""
    size: Annotated[int | None, arg(metavar="PIXELS", help_behavior_hint=OWN)] = None
    """The shorter side at which the network sees photos."""
    batch: Annotated[int | None, arg(help_behavior_hint=f"(default: {GPU_BATCH} on a GPU, else 1)")] = None
    """Photos that the network sees at once."""
    of_masks: Annotated[MaskOptions, arg(name="")] = field(default_factory=MaskOptions)

    def run(self) -> int:
        """Segment photo after photo; 1 if one of them could not be read."""
        from zeroseg.segmenting import Run, Settings, Wanted

        vocabulary = self.of_labels.vocabulary()  # so that wrong labels are reported before anything is loaded
        self._check()
        photos, failed, left_out = self._find_photos()
        if not photos:
            return FAILED
        segmenter = self._segmenter()
        say_of_labels(vocabulary, segmenter)
        named: dict[str, str] = {
            "method": self.method,
            "model": self.model or DEFAULT,
            "teacher": self.teacher or "the model's own",
        }
        named["absent"] = self.absent
        on_gpu = segmenter.teacher.device.type != "cpu"
        batch = self.batch or (GPU_BATCH if on_gpu else 1)
        threads = 4 if on_gpu else 2
        wanted = Wanted(self.format, self.overlays, self.overwrite, batch, threads, self.absent, is_there)
        settings = Settings.of(segmenter, vocabulary, named)
        with held(self.out, inside=True):
            summary = self._go(Run(segmenter, vocabulary, self.out, settings, wanted), photos, left_out)
        return FAILED if summary.failed or failed else 0

    def _go(self, run: Run, photos: Sequence[Found], left_out: Mapping[str, int]) -> Summary:
        """Segment, and say what becomes of each photo."""
        from zeroseg.cli.progress import counting
        from zeroseg.segmenting import SharedFiles, Summary
        from zeroseg.segmenting.report import report

        summary, lines = Summary(tuple(run.settings.classes.named.values())), Lines(self.json, len(photos))
        outcomes: list[Outcome] = []
        shared = SharedFiles(self.out, run.settings, run.wanted, photos)
        shared.begin()
        try:
            with counting("segmenting", len(photos), "photos") as progress:
                for outcome in run.outcomes(photos):
                    summary.add(outcome)
                    lines.say(outcome)
                    outcomes.append(replace(outcome, labels=()))  # rows of many photos would fill the memory
                    progress(1)
        except KeyboardInterrupt:
            done = f"at least {len(outcomes):,} of {len(photos):,} photos are done"
            say(f"stopped: {done}; the same command goes on with the others.")
            raise
        shared.end()
        if run.wanted.of_pictures:
            lines.renamed(outcomes)
        for sentence in shared.write_data_sets(outcomes):
            lines.note(sentence)
        if self.report is not None:
            footer = f"Made by zeroseg {zeroseg.__version__} segment on {date.today().isoformat()}."
            page = report(outcomes, summary, run.settings, footer).encode(errors="replace")  # names that are no text
            write_bytes_atomically(self.report, page)
            lines.note(f"the report: {self.report}")
        lines.end(summary, left_out)
        return summary

    def _check(self) -> None:
        """Raise `UsageError` for options that do not fit together, and `OutputError`, before anything is loaded."""
        from zeroseg.hub import locate

        if self.method != "student" and (self.teacher is not None or self.of_masks.naming == "segments"):
            raise UsageError(
                "--teacher and --naming segments go with --method student: --model names the teacher itself."
            )
        if self.absent == "ask" and not sys.stdin.isatty():
            raise UsageError("--absent ask needs a terminal to ask on: choose drop or keep.")
        self.of_masks.check()
        check_positive("--size", self.size)
        check_positive("--batch", self.batch)
        if self.size is not None and self.size > LARGEST_SIZE:
            raise UsageError(f"--size must be at most {LARGEST_SIZE} pixels, not {self.size}: more takes minutes.")
        check_folder(self.out)
        if self.report is not None:
            if self.report.suffix.lower() not in (".html", ".htm"):
                raise UsageError(f"--report is a page: its name must end in .html, not {self.report.name!r}.")
            check_target(self.report)
        if any(photo.exists() for photo in self.photos):
            locate(self.model or DEFAULT, self.teacher, "student" if self.method == "student" else "teacher")

    def _segmenter(self) -> zeroseg.Segmenter:
        from zeroseg.encoding import Resized

        check_device(self.device)
        if self.method == "student":
            segmenter = zeroseg.Segmenter.from_pretrained(self.model or DEFAULT, self.teacher, self.device)
        else:
            from zeroseg.baselines import baseline_segmenter
            from zeroseg.cli.loading import load_teacher

            segmenter = baseline_segmenter(self.method, load_teacher(self.model or DEFAULT, self.device))
        segmenter = self.of_masks.over(segmenter)
        if self.size is None:
            return segmenter
        resized = Resized(segmenter.encoder, self.size)
        return zeroseg.Segmenter(resized, segmenter.teacher, segmenter.read_out, segmenter.words)

    def _find_photos(self) -> tuple[list[Found], int, Mapping[str, int]]:
        """The photos, how many of the given paths could not be searched, and counts of what was left out."""
        from zeroseg.images import no_picture_in, search_images
        from zeroseg.segmenting import without_results

        if not self.photos:
            raise UsageError("name at least one photo or folder (see `zeroseg segment --help`).")
        search = search_images(self.photos)
        problems = [*search.problems, *(no_picture_in([folder]) for folder in search.empty)]
        for problem in problems:
            complain(problem)
        photos = list(without_results(search.pictures, self.out))
        search.left_out["earlier results"] = len(search.pictures) - len(photos)
        if not photos and not problems:
            complain(no_picture_in(self.photos))
        return photos, len(problems), search.left_out


def main(arguments: Sequence[str]) -> int:
    """Parse, and run."""
    return parse(Segment, "segment", with_new_options(arguments, RENAMED)).run()
