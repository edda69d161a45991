"""`zeroseg segment`: photos and words in; masks, overlays and figures out."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, UseAppendAction, arg

import zeroseg
from zeroseg.cli.messages import FAILED, UsageError, complain, say
from zeroseg.cli.parsing import check_fraction, check_iterations, parse
from zeroseg.errors import ImageError, VocabularyError
from zeroseg.files import write_text_atomically
from zeroseg.method_names import DenseMethod, Naming, RuleName
from zeroseg.models import DEFAULT

MASK, OVERLAY, FIGURES = ".png", ".overlay.jpg", ".json"
NOT_BY_THRESHOLD = ("margin", "none", "top5")  # the threshold of all other rules is a probability
OWN = "(default: the model's own)"
LABELS_SHOWN = 8


@dataclass(frozen=True)
class Segment:
    """Find in photos what you name.

    For every photo, --out receives NAME.png (a mask: pixel values are the numbers of the labels, with a palette),
    NAME.overlay.jpg (the photo tinted in the same colours, with a legend) and NAME.json (each label's fraction of the
    picture, score and colour).
    Photos may have any size and orientation. Photos that cannot be read are reported and left out.
    Models are named by --model: `zeroseg models` lists those that are bundled, on this machine or on the hub.

    Without a student of your own, a teacher (a CLIP, or another model that embeds images and texts) can
    segment without training: --method names one of four dense read-outs of its patches.

    examples:
      zeroseg segment photo.jpg --labels "dog, grass, traffic light"
      zeroseg segment holiday/ --labels-file words.txt --out masks --background none
      zeroseg segment photo.jpg --labels "dog, grass" --method naclip --model openai/clip-vit-base-patch16
    """

    photos: Positional[Annotated[tuple[Path, ...], arg(metavar="PHOTO...", help_behavior_hint="(required)")]] = ()
    """Pictures, or folders of them."""
    labels: UseAppendAction[
        Annotated[tuple[str, ...], arg(metavar="WORDS", help_behavior_hint="(this or --labels-file is required)")]
    ] = ()
    """What to look for, separated by commas; quotes protect commas within a label. May be given several times."""
    labels_file: UseAppendAction[Annotated[tuple[Path, ...], arg(metavar="FILE", help_behavior_hint="")]] = ()
    """A text file with more labels, one a line; lines that begin with # are left out."""
    model: Annotated[str | None, arg(metavar="MODEL", help_behavior_hint=f"(default: {DEFAULT})")] = None
    """A student, or with --method a teacher: a bundled one by name, a folder, or the name of a hub repository."""
    method: Literal["student", DenseMethod] = "student"
    """The method: a distilled student, or a teacher without training."""
    teacher: Annotated[str | None, arg(metavar="NAME", help_behavior_hint="(default: the one the model names)")] = None
    """The teacher whose text encoder reads the labels: a bundled one, a folder, or the name of a hub repository."""
    out: Annotated[Path, arg(metavar="FOLDER")] = Path("out")
    """Where the results go."""
    background: Annotated[RuleName | None, arg(help_behavior_hint=OWN)] = None
    """When a pixel is none of the labels: GroupViT's product score is under --threshold (product, the paper's); the
    best label does not exceed the best background word by --margin (margin); a background word is most probable, or no
    label reaches --threshold (softmax, SCLIP's); no label reaches --threshold by itself, or a background word fits
    better (sigmoid, TCL's); never (none; top5: by GroupViT's score)."""
    threshold: Annotated[float | None, arg(help_behavior_hint=OWN)] = None
    """0 to 1, for product, softmax or sigmoid; then --background is product if it is not given."""
    margin: Annotated[float | None, arg(help_behavior_hint=OWN)] = None
    """Cosine times 100; then --background is margin."""
    presence: Annotated[float | None, arg(help_behavior_hint=OWN)] = None
    """With the rule margin: labels that nowhere in a photo exceed the margin by this (cosine times 100) are absent."""
    naming: Annotated[Naming | None, arg(help_behavior_hint=OWN)] = None
    """Whether a pixel takes the name of its segment (the paper's) or of its patch."""
    refinement: Annotated[
        int | None, arg(metavar="ITERATIONS", help_behavior_hint="(default: the model's own; 10 for a teacher)")
    ] = None
    """Iterations of refinement, in which the masks follow the photo's edges; 0 for none (the paper's)."""
    smallest_region: Annotated[
        float | None, arg(help_behavior_hint="(default: the model's own; 0.0005 if it has none)")
    ] = None
    """Smaller areas, which refinement leaves on textures, take the label around them; a fraction of the picture."""
    background_words: UseAppendAction[Annotated[tuple[str, ...], arg(metavar="WORDS", help_behavior_hint=OWN)]] = ()
    """Words that compete with the labels for the background, separated by commas; "" for none."""

    def run(self) -> int:
        """Segment photo after photo; 1 if one of them could not be read."""
        from zeroseg.hub import locate

        vocabulary = self._vocabulary()  # so that wrong labels are reported before anything is loaded
        if self.method != "student" and (self.teacher is not None or self.naming == "segments"):
            raise UsageError(
                "--teacher and --naming segments go with --method student: --model names the teacher itself."
            )
        self._check_rule()
        check_iterations(self.refinement)
        check_fraction("--smallest-region", self.smallest_region)
        if any(photo.exists() for photo in self.photos):
            locate(self.model or DEFAULT, self.teacher, "student" if self.method == "student" else "teacher")
        photos, failed = self._find_photos()
        if not photos:
            return FAILED
        segmenter = self._segmenter()
        segmenter = segmenter.reading(**self._changes(segmenter))
        _warn_of_same_tokens(vocabulary, segmenter)
        for sentence in segmenter.unknown_words(vocabulary):
            say(sentence)
        for photo, name in zip(photos, output_names(photos, self.out), strict=True):
            try:
                segmentation = self._segment(segmenter, vocabulary, photo, name)
                print(f"{photo}: {_found(segmentation)} -> {self.out / (name + MASK)}", flush=True)
            except ImageError as error:
                failed += 1
                complain(error)
        return FAILED if failed else 0

    def _segmenter(self) -> zeroseg.Segmenter:
        from zeroseg.baselines import baseline_segmenter
        from zeroseg.cli.loading import load_teacher

        if self.method == "student":
            return zeroseg.Segmenter.from_pretrained(self.model or DEFAULT, self.teacher)
        return baseline_segmenter(self.method, load_teacher(self.model or DEFAULT))

    def _vocabulary(self) -> zeroseg.Vocabulary:
        """The labels, typed first, then from files; background words are the model's if none are given."""
        from zeroseg.vocabulary import make_vocabulary, parse_labels

        if not self.labels and not self.labels_file:
            raise UsageError('say what to look for, for example --labels "dog, grass" (see `zeroseg segment --help`).')
        typed = [label for line in self.labels for label in parse_labels(line)]
        return make_vocabulary([*typed, *chain.from_iterable(map(_read_labels, self.labels_file))])

    def _check_rule(self) -> None:
        """Raise `UsageError` for thresholds that do not fit the background rule."""
        for option, value in (("--margin", self.margin), ("--presence", self.presence)):
            if value is not None and (self.threshold is not None or self.background not in (None, "margin")):
                raise UsageError(f"{option} goes with --background margin: leave --threshold and other rules out.")
        if self.threshold is not None and self.background in NOT_BY_THRESHOLD:
            raise UsageError(f"--threshold does not go with --background {self.background}: choose another rule.")
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise UsageError(f"--threshold must be a number from 0 to 1, not {self.threshold:g}.")

    def _changes(self, segmenter: zeroseg.Segmenter) -> dict[str, object]:
        """The requested changes of the model's own read-out."""
        from zeroseg.vocabulary import parse_labels

        words, smallest = self.background_words, segmenter.read_out.without_specks().smallest_region
        name, threshold = self.background, self.threshold if self.margin is None else self.margin
        if name is None and (threshold is not None or self.presence is not None):
            name = "product" if self.margin is None and self.presence is None else "margin"
        rule = segmenter.read_out.background if name is None else segmenter.rule(name)
        rule = rule if threshold is None else rule.at(threshold)
        changes = {
            "naming": self.naming,
            "background": rule if self.presence is None else replace(rule, presence=self.presence),
            "refinement": self.refinement,
            "smallest_region": smallest if self.smallest_region is None else self.smallest_region,
            "background_words": tuple(word for line in words for word in parse_labels(line)) if words else None,
        }
        return {name: value for name, value in changes.items() if value is not None}

    def _find_photos(self) -> tuple[list[Path], int]:
        """The photos, and how many of the given paths had none. Earlier results in a folder do not count."""
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
        from zeroseg.drawing import hexadecimal, label_colours, overlay, save_image, save_palette_png
        from zeroseg.images import load_image

        picture = load_image(photo)
        segmentation = segmenter.name(segmenter.encode(picture), vocabulary)
        save_palette_png(segmentation, self.out / (name + MASK))
        save_image(overlay(picture, segmentation), self.out / (name + OVERLAY))
        figures = {
            "photo": os.fsencode(photo).decode(errors="replace"),
            "method": self.method,
            "model": self.model or DEFAULT,
            "teacher": self.teacher or "the model's own",
            "read_out": segmenter.read_out.to_json(),
            "background_words": list(vocabulary.background_words(segmenter.read_out.background_words)),
            **segmentation.summary(list(map(hexadecimal, label_colours(segmentation)))),
        }
        write_text_atomically(self.out / (name + FIGURES), json.dumps(figures, indent=2, ensure_ascii=False) + "\n")
        return segmentation


def output_names(photos: Sequence[Path], out: Path) -> list[str]:
    """For each photo the name of its results: its own name, with a number if that name or a photo exists already."""
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


def _warn_of_same_tokens(vocabulary: zeroseg.Vocabulary, segmenter: zeroseg.Segmenter) -> None:
    """Print which labels the teacher cannot distinguish."""
    from zeroseg.vocabulary import same_tokens

    read = [segmenter.teacher.reading(label) for label in vocabulary.labels]
    for first, *others in same_tokens(vocabulary.labels, segmenter.teacher.token_ids(read)):
        shown = ", ".join(map(repr, others[:LABELS_SHOWN]))
        say(f"the teacher reads {first!r} and {shown} as the same tokens: all their pixels go to {first!r}.")


def _read_labels(file: Path) -> tuple[str, ...]:
    from zeroseg.vocabulary import parse_label_lines

    try:
        labels = parse_label_lines(file.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise VocabularyError(f"{str(file)!r} is not UTF-8 text: save it as UTF-8, one label a line.") from error
    except OSError as error:
        raise VocabularyError(f"the labels in {str(file)!r} cannot be read: {error.strerror}.") from error
    if len(labels) == 1 and "," in labels[0]:
        say(f"{str(file)!r} has one line, one label with its commas: write one label a line, or use --labels.")
    return labels


def _found(segmentation: zeroseg.Segmentation) -> str:
    """The labels that occur with their fractions of the picture, largest first; then those that do not."""
    from zeroseg.segmentation import percentage

    present = segmentation.present_indices
    found = [f"{segmentation.labels[index]} {percentage(segmentation.fractions[index])}" for index in present]
    absent = segmentation.absent
    return _some(found) + (f"; not found: {_some(absent)}" if absent else "")


def _some(words: Sequence[str]) -> str:
    more = len(words) - LABELS_SHOWN
    return ", ".join(words[:LABELS_SHOWN]) + (f" and {more} more" if more > 0 else "")


def main(arguments: Sequence[str]) -> int:
    """Parse, and run."""
    return parse(Segment, "segment", arguments).run()
