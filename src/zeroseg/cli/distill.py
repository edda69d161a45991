"""`zeroseg distill`: a student from cached views."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from tyro.conf import FlagCreatePairsOff, arg

from zeroseg.cli.loading import DEFAULT_RECIPE, LoopFlags, RecipeName, lasting_name, load_teacher, recipe_in
from zeroseg.cli.messages import INTERRUPTED, UsageError, say
from zeroseg.cli.parsing import parse
from zeroseg.cli.read_out_options import REGISTRY
from zeroseg.dataset_names import PicturebookName
from zeroseg.errors import CacheError
from zeroseg.evaluation import evaluate, open_dataset
from zeroseg.feature_cache import MANIFEST, FeatureCache
from zeroseg.images import find_images
from zeroseg.models import is_picturebook
from zeroseg.segmenter import Segmenter
from zeroseg.student import Student
from zeroseg.teacher import Teacher
from zeroseg.training.distill import distill
from zeroseg.training.distillation import DistillConfig


@dataclass(frozen=True)
class Distill:
    """Train a student on the cached views of images, without any label.

    The recipe has all settings; every setting can be changed by its name, the usual ones by a short name. RUN receives
    settings.json, log.jsonl, checkpoint.pt and, at the end, the student. Ctrl-C and SIGTERM save first; the same
    command with --resume then continues, with the same result as without the interruption.

    examples:
      zeroseg distill --images photos/ --cache cache --out run
      zeroseg distill --recipe picturebook --images photos/ --cache cache --out run --steps 2000 --losses.dense 0.5
      zeroseg distill --images photos/ --cache cache --out run --resume
    """

    images: Annotated[tuple[Path, ...], arg(metavar="IMAGES...")]
    """Pictures, or folders of them."""
    cache: Annotated[Path, arg(metavar="FOLDER")]
    """Their embedded views, as `zeroseg cache` made them."""
    out: Annotated[Path, arg(metavar="RUN")]
    """The run's folder."""
    recipe: RecipeName = DEFAULT_RECIPE
    """Where all other settings come from."""
    resume: bool = False
    """Continue the run in --out."""
    teacher: Annotated[str | None, arg(metavar="NAME", help_behavior_hint="(default: the recipe's)")] = None
    """The teacher that made the cache: a bundled one by name, a folder, or the name of a hub repository."""
    validate_on: Annotated[
        Literal[PicturebookName, "none"] | None,
        arg(help_behavior_hint="(default: picturebook-voc with the picturebook's teacher, else none)"),
    ] = None
    """Log the mIoU on validation scenes at intervals."""
    validation_scenes: int = 100
    """How many of them."""
    short: Annotated[LoopFlags, arg(name="")] = field(default_factory=LoopFlags)

    def run(self, config: DistillConfig) -> int:
        """Train, and print where the student is."""
        if self.validation_scenes < 1:
            raise UsageError(f"--validation-scenes must be 1 or more, not {self.validation_scenes}.")
        images = find_images(self.images)
        name = self.teacher or config.student.teacher
        self._expect_cache(name)
        cache = FeatureCache(self.cache)
        teacher = load_teacher(name)
        cache.check(teacher, config.views)
        student = replace(config.student, teacher=lasting_name(name), embedding_width=teacher.width)
        config = replace(config, student=student, loop=self.short.over(config.loop))
        if distill(images, cache, config, self.out, teacher, self._validation(name, teacher), self.resume) is None:
            say("continue with --resume.")
            return INTERRUPTED
        print(f"the student is in {self.out / 'student'}; try it:")
        print(f'  zeroseg segment PHOTO --labels "dog, grass" --model {shlex.quote(str(self.out / "student"))}')
        return 0

    def _expect_cache(self, teacher: str) -> None:
        if not (self.cache / MANIFEST).is_file():
            images = [str(path) for path in self.images]
            words = [
                "zeroseg",
                "cache",
                *images,
                "--recipe",
                self.recipe,
                "--teacher",
                teacher,
                "--out",
                str(self.cache),
            ]
            raise CacheError(f"there is no cache in {str(self.cache)!r} yet: make it with `{shlex.join(words)}`.")

    def _validation(self, name: str, teacher: Teacher) -> Callable[[Student], dict[str, Any]] | None:
        """mIoU and upper bound with the student's own read-out; None without validation."""
        chosen = self.validate_on or ("picturebook-voc" if is_picturebook(name) else "none")
        if chosen == "none":
            return None
        dataset = open_dataset(chosen, "validation", self.validation_scenes)

        def figures(student: Student) -> dict[str, Any]:
            result = evaluate(Segmenter.of(student, teacher), dataset)
            return {"miou": result.miou, "upper_bound_miou": result.upper_bound_miou}

        return figures


def main(arguments: Sequence[str]) -> int:
    """Parse, with the recipe's settings as defaults, and run."""
    default = recipe_in(arguments)

    def options(
        command: Annotated[Distill, arg(name=""), FlagCreatePairsOff],
        config: Annotated[DistillConfig, arg(name="")] = default,
    ) -> tuple[Distill, DistillConfig]:
        return command, config

    command, config = parse(options, "distill", arguments, Distill.__doc__, REGISTRY, pairs=True)
    return command.run(config)
