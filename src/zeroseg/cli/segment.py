"""`zeroseg segment`: photos and words in; masks, overlays and figures out."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, count
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

import zeroseg
from zeroseg.cli.messages import FAILED, UsageError, complain
from zeroseg.cli.parsing import check_rounds, parse
from zeroseg.errors import ImageError, VocabularyError
from zeroseg.files import write_text_atomically

MASK, OVERLAY, FIGURES = ".png", ".overlay.jpg", ".json"
THRESHOLDS = {"product": "product_threshold", "softmax": "threshold", "sigmoid": "sigmoid_threshold"}  # in `ReadOut`
OWN = "(default: the model's own)"
LABELS_SHOWN = 8
ROUNDS = 10  # of refinement, where a teacher segments by itself


@dataclass(frozen=True)
class Segment:
    """Find in photos what you name.

    For every photo, --out receives NAME.png (a mask: pixel values are the numbers of the labels, with a palette),
    NAME.overlay.jpg (the photo tinted, with a legend) and NAME.json (each label's share of the picture and score).
    Photos may have any size and orientation. Photos that cannot be read are reported and left out.

    Without a student of your own, a teacher (a CLIP, or another model that embeds images and texts) can
    segment as it is: --method names one of four ways to read its patches.

    examples:
      zeroseg segment photo.jpg --labels "dog, grass, traffic light"
      zeroseg segment holiday/ --labels-file words.txt --out masks --background none
      zeroseg segment photo.jpg --labels "dog, grass" --method naclip --model openai/clip-vit-base-patch16
    """

    photos: Positional[Annotated[tuple[Path, ...], arg(metavar="PHOTO...", help_behavior_hint="(required)")]] = ()
    """Pictures, or folders of them."""
    labels: Annotated[str | None, arg(metavar="WORDS", help_behavior_hint="(this or --labels-file is required)")] = None
    """What to look for, parted by commas."""
    labels_file: Annotated[Path | None, arg(metavar="FILE", help_behavior_hint="")] = None
    """A text file with more labels, one a line."""
    model: Annotated[str | None, arg(metavar="MODEL", help_behavior_hint="(default: the bundled one)")] = None
    """A student, or with --method a teacher: a folder, or the name of a hub repository."""
    method: Literal["student", "maskclip", "sclip", "naclip", "clearclip"] = "student"
    """What segments: a distilled student, or a teacher without any training."""
    teacher: Annotated[str | None, arg(metavar="NAME", help_behavior_hint="(default: the one the model names)")] = None
    """The teacher whose text encoder reads the labels: a folder, or the name of a hub repository."""
    out: Annotated[Path, arg(metavar="FOLDER")] = Path("out")
    """Where the results go."""
    background: Annotated[
        Literal["product", "margin", "softmax", "sigmoid", "none"] | None, arg(help_behavior_hint=OWN)
    ] = None
    """When a pixel is none of the labels: GroupViT's product score stays under --threshold (product, the paper's);
    the best label does not beat the best background word by --margin (margin); a background word is the likeliest, or
    no label reaches --threshold (softmax, SCLIP's); no label reaches --threshold by itself, or a background word fits
    better (sigmoid, TCL's); never (none)."""
    threshold: Annotated[float | None, arg(help_behavior_hint=OWN)] = None
    """0 to 1, for product, softmax or sigmoid; implies product where --background is not given."""
    margin: Annotated[float | None, arg(help_behavior_hint=OWN)] = None
    """Cosine times 100; implies --background margin."""
    naming: Annotated[Literal["segments", "patches"] | None, arg(help_behavior_hint=OWN)] = None
    """Whether a pixel takes the name of its segment (the paper's) or of its patch."""
    refinement: Annotated[int | None, arg(metavar="ROUNDS", help_behavior_hint=OWN)] = None
    """How many rounds of refinement let the masks follow the photo's edges; 0 for none (the paper's)."""
    background_words: Annotated[str | None, arg(metavar="WORDS", help_behavior_hint=OWN)] = None
    """Words that compete with the labels for the background, parted by commas."""

    def run(self) -> int:
        """Segment photo after photo; 1 if one of them could not be read."""
        self._vocabulary()  # what is wrong with the words is said before anything is loaded
        if self.method != "student" and (self.teacher is not None or self.naming == "segments"):
            raise UsageError(
                "--teacher and --naming segments go with --method student: --model names the teacher itself."
            )
        read_out = self._read_out()
        photos, failed = self._find_photos()
        if not photos:
            return FAILED
        segmenter = self._segmenter().reading(**read_out)
        vocabulary = self._vocabulary(segmenter.read_out.background_words)
        for photo, name in zip(photos, output_names(photos, self.out), strict=True):
            try:
                segmentation = self._segment(segmenter, vocabulary, photo, name)
                print(f"{photo}: {_found(segmentation)} -> {self.out / (name + MASK)}", flush=True)
            except ImageError as error:
                failed += 1
                complain(error)
        return FAILED if failed else 0

    def _segmenter(self) -> zeroseg.Segmenter:
        from zeroseg.baselines import yardstick_segmenter
        from zeroseg.cli.loading import load_teacher
        from zeroseg.student.weights import BUNDLED
        from zeroseg.teacher import BUNDLED_NAME

        if self.method == "student":
            return zeroseg.Segmenter.from_pretrained(self.model or BUNDLED, self.teacher)
        teacher = load_teacher(self.model or BUNDLED_NAME)
        return yardstick_segmenter(self.method, teacher, ROUNDS)

    def _vocabulary(self, background_words: Sequence[str] = ()) -> zeroseg.Vocabulary:
        """What was asked for, with words for what was not."""
        from zeroseg.vocabulary import make_vocabulary

        if self.labels is None and self.labels_file is None:
            raise UsageError('say what to look for, for example --labels "dog, grass" (see `zeroseg segment --help`).')
        lines = [self.labels or "", "" if self.labels_file is None else _read_labels(self.labels_file)]
        return make_vocabulary("\n".join(lines), background_words)

    def _read_out(self) -> dict[str, object]:
        from zeroseg.vocabulary import parse_labels

        rule = self._rule()
        check_rounds(self.refinement)
        words = self.background_words
        changes = {
            "naming": self.naming,
            "background": rule,
            THRESHOLDS.get(rule or "", "threshold"): self.threshold,
            "margin": self.margin,
            "refinement": self.refinement,
            "background_words": None if words is None else parse_labels(words),
        }
        return {name: value for name, value in changes.items() if value is not None}

    def _rule(self) -> str | None:
        """The background rule that was asked for, by name or by its threshold."""
        if self.margin is not None and (self.threshold is not None or self.background not in (None, "margin")):
            raise UsageError("--margin goes with --background margin: leave --threshold and other rules out.")
        if self.threshold is not None and self.background not in (None, *THRESHOLDS):
            raise UsageError(f"--threshold goes with --background {', '.join(THRESHOLDS)}: choose one of them.")
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise UsageError(f"--threshold must be a number from 0 to 1, not {self.threshold:g}.")
        if self.background is not None:
            return self.background
        if self.threshold is not None:
            return "product"
        return None if self.margin is None else "margin"

    def _find_photos(self) -> tuple[list[Path], int]:
        """The photos, and how many of the given paths were none. Earlier results below a folder are no photos."""
        from zeroseg.images import find_images

        if not self.photos:
            raise UsageError("name at least one photo or folder (see `zeroseg segment --help`).")
        found: dict[Path, None] = {}
        failed, out = 0, self.out.resolve()
        for given in self.photos:
            try:
                pictures = find_images([given])
            except ImageError as error:
                failed += 1
                complain(error)
            else:
                below = given.is_dir() and given.resolve() in out.parents
                kept = [path for path in pictures if not (below and path.resolve().is_relative_to(out))]
                found.update(dict.fromkeys(kept))
        return list(found), failed

    def _segment(
        self, segmenter: zeroseg.Segmenter, vocabulary: zeroseg.Vocabulary, photo: Path, name: str
    ) -> zeroseg.Segmentation:
        from zeroseg.drawing import overlay, save_image, save_palette_png
        from zeroseg.images import load_image

        picture = load_image(photo)
        segmentation = segmenter(picture, vocabulary)
        save_palette_png(segmentation, self.out / (name + MASK))
        save_image(overlay(picture, segmentation), self.out / (name + OVERLAY))
        figures = {
            "photo": os.fsencode(photo).decode(errors="replace"),
            "method": self.method,
            "model": self.model or "bundled",
            "teacher": self.teacher or "the model's own",
            "read_out": asdict(segmenter.read_out),
            "background_words": list(vocabulary.background),
            **segmentation.summary(),
        }
        write_text_atomically(self.out / (name + FIGURES), json.dumps(figures, indent=2, ensure_ascii=False) + "\n")
        return segmentation


def output_names(photos: Sequence[Path], out: Path) -> list[str]:
    """For each photo the name of its results: its own, with a number where that is taken, or a photo in the way."""
    folder = out.resolve()
    taken = {photo.name.casefold() for photo in photos if photo.resolve().parent == folder}
    names: list[str] = []
    series: dict[str, Iterator[str]] = {}

    def is_free(name: str) -> bool:
        return taken.isdisjoint((name + end).casefold() for end in (MASK, OVERLAY, FIGURES))

    for photo in photos:
        stem = photo.stem
        candidates = series.setdefault(stem, chain([stem], (f"{stem}-{number}" for number in count(2))))
        names.append(next(filter(is_free, candidates)))
        taken.update((names[-1] + end).casefold() for end in (MASK, OVERLAY, FIGURES))
    return names


def _read_labels(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise VocabularyError(f"{str(file)!r} is not UTF-8 text: save it as UTF-8, one label a line.") from error
    except OSError as error:
        raise VocabularyError(f"the labels in {str(file)!r} cannot be read: {error.strerror}.") from error


def _found(segmentation: zeroseg.Segmentation) -> str:
    """The labels that occur with their shares, largest first."""
    present = segmentation.present_indices
    words = [f"{segmentation.labels[index]} {segmentation.shares[index]:.0%}" for index in present[:LABELS_SHOWN]]
    return ", ".join(words) + (f" and {len(present) - LABELS_SHOWN} more" if len(present) > LABELS_SHOWN else "")


def main(arguments: Sequence[str]) -> int:
    """Parse, and run."""
    return parse(Segment, "segment", arguments).run()
