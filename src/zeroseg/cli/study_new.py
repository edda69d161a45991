"""`zeroseg study new`: draws a study from models or from results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import UseAppendAction, arg

from zeroseg.cli.label_options import LabelOptions
from zeroseg.cli.messages import UsageError, printable, say
from zeroseg.cli.parsing import check_positive
from zeroseg.cli.progress import counting

if TYPE_CHECKING:
    from zeroseg.images import Found
    from zeroseg.study import Sources
    from zeroseg.vocabulary import Vocabulary

NAMED = 3  # attention checks in a warning
DRAWN = "(default: drawn at random, and kept in the key)"
OF_IMAGENET = "(default: the names of ImageNet's 1,000 classes)"


@dataclass(frozen=True)
class StudyLabels(LabelOptions):
    """What to look for."""

    labels: UseAppendAction[Annotated[tuple[str, ...], arg(metavar="WORDS", help_behavior_hint=OF_IMAGENET)]] = ()
    """What to look for, separated by commas; quotes protect commas within a label. May be given several times."""


@dataclass(frozen=True)
class New:
    """Draw a study: pictures, each with the segmentations of two models side by side.

    Segmentations are made by --models, or taken from --results, folders that `zeroseg segment` has written. With more
    than two models, each picture compares two of them, and all pairs are equally frequent. Sides, order and names of
    files are random. --out has questions.json and pictures/, which raters may see, and key.json, which they may not.
    When it is stopped, what is drawn stays in a hidden folder beside --out, and the same command goes on.

    Without --labels and --labels-file, models choose from the names of ImageNet's 1,000 classes, as in the paper.

    examples:
      zeroseg study new --out study --models photos picturebook --pictures photos/ --count 40
      zeroseg study new --out study --results masks-a masks-b --pictures photos/ --count 40
    """

    out: Annotated[Path, arg(metavar="FOLDER")]
    """The folder of the study, a new one."""
    pictures: Annotated[tuple[Path, ...], arg(metavar="FOLDER")]
    """Pictures, folders of them, or patterns."""
    models: Annotated[tuple[str, ...], arg(metavar="MODEL", help_behavior_hint="(this or --results)")] = ()
    """Two students or more: bundled ones by name, folders, or names of hub repositories."""
    results: Annotated[tuple[Path, ...], arg(metavar="FOLDER", help_behavior_hint="(this or --models)")] = ()
    """Two folders or more that `zeroseg segment` has written for these pictures, with the same labels."""
    of_labels: Annotated[StudyLabels, arg(name="")] = field(default_factory=StudyLabels)
    background: Annotated[bool, arg(help_behavior_hint="")] = True
    """Give every pixel its best label, as in the paper. Else pixels that no label fits have none."""
    count: int = 200
    """Pictures, each with one question; the paper's number."""
    votes: int = 5
    """Raters for each question; the paper's number."""
    check_every: Annotated[int, arg(metavar="QUESTIONS")] = 10
    """An attention check, with an obviously wrong side, for so many questions; three or more in all. 0 for none."""
    seed: Annotated[int | None, arg(help_behavior_hint=DRAWN)] = None
    """Of all that is drawn. Sides can be computed from it, so raters must not know it."""

    def run(self) -> int:
        """Segment, and write the study."""
        from zeroseg.images import find_images, search_images
        from zeroseg.study import count_checks

        self._check()
        find_images(self.pictures)  # raises for what is missing
        sources = self._sources(search_images(self.pictures).pictures)
        checks = count_checks(self.count, self.check_every)
        self._write(sources, self.count + checks)
        print(printable(f"{_many(self.count, 'question')} and {_many(checks, 'attention check')}: {self.out}"))
        self._warn()
        print(printable(f"keep {self.out / 'key.json'} from raters; go on with `zeroseg study serve {self.out}`."))
        return 0

    def _write(self, sources: Sources, all_in_all: int) -> None:
        """Draw what is not drawn yet; says what is kept of a study that is stopped."""
        from zeroseg.study import count_unfinished, unfinished, write_study

        before = count_unfinished(self.out)
        with counting("the study", all_in_all, "questions") as progress:
            try:
                write_study(self.out, sources, self.count, self.votes, self.seed, self.check_every, progress, True)
            except KeyboardInterrupt:
                kept = f"{count_unfinished(self.out):,} of {all_in_all:,} questions are drawn"
                say(f"stopped: {kept}, and wait in {unfinished(self.out)}; the same command goes on with the others.")
                raise
        if before:
            say(f"{before:,} of the questions were drawn before it was stopped.")

    def _warn(self) -> None:
        """Say which attention checks may be hard."""
        from zeroseg.study import read_key

        key = read_key(self.out)
        photos = [repr(key.questions[name].photo) for name in key.doubtful]
        if photos:
            say(
                f"{_many(len(photos), 'attention check')} may be hard, because no model divides the picture into areas "
                f"({', '.join(photos[:NAMED])}{', ...' if photos[NAMED:] else ''}): look at what key.json calls "
                "doubtful before you ask people, or name more pictures."
            )

    def _check(self) -> None:
        """Raise `UsageError`."""
        from zeroseg.study import check_new

        if bool(self.models) == bool(self.results):
            raise UsageError("name what to compare, with --models or with --results (see `zeroseg study new --help`).")
        named = self.models or tuple(map(str, self.results))
        if len(set(named)) < max(2, len(named)):
            raise UsageError("a study compares two models or more, all of them different.")
        if self.results and (self.of_labels.labels or self.of_labels.labels_file or not self.background):
            raise UsageError("--labels, --labels-file and --no-background go with --models: --results have labels.")
        check_positive("--count", self.count)
        check_positive("--votes", self.votes)
        if self.check_every < 0:
            raise UsageError(f"--check-every must be 0 or more, not {self.check_every}.")
        check_new(self.out)

    def _vocabulary(self) -> Vocabulary:
        from zeroseg.training.imagenet_words import class_names
        from zeroseg.vocabulary import Vocabulary

        if self.of_labels.labels or self.of_labels.labels_file:
            return self.of_labels.vocabulary()
        say("without labels, the models choose from the names of ImageNet's 1,000 classes.")
        return Vocabulary(class_names())

    def _sources(self, found: Sequence[Found]) -> Sources:
        from zeroseg.segmenter import Segmenter
        from zeroseg.study import photos_of, plan_questions, sources_of_models, sources_of_results

        if self.results:
            return sources_of_results(self.results, found)
        vocabulary = self._vocabulary()
        plan_questions(len(found), self.models, self.count)  # too few pictures are said before models are loaded
        segmenters = {name: Segmenter.from_pretrained(name) for name in self.models}
        return sources_of_models(segmenters, vocabulary, photos_of(found), self.background)


def _many(number: int, name: str) -> str:
    return f"{number:,} {name}{'' if number == 1 else 's'}"
