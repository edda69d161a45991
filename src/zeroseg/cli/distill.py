"""`zeroseg distill`: a student from its teacher's views and windows."""

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
from zeroseg.cli.run_costs import cost_lines
from zeroseg.dataset_names import PicturebookName
from zeroseg.errors import CacheError
from zeroseg.evaluation import evaluate, open_dataset
from zeroseg.feature_cache import MANIFEST, FeatureCache
from zeroseg.images import list_images
from zeroseg.models import bundled, is_picturebook
from zeroseg.segmenter import Segmenter
from zeroseg.student import Student
from zeroseg.teacher import Teacher
from zeroseg.training import processes
from zeroseg.training.costs import expect_tower, tower_sizes
from zeroseg.training.distill import build_student, distill
from zeroseg.training.distillation import DistillConfig
from zeroseg.training.initialisation import as_tower_of
from zeroseg.training.monitor import read_log
from zeroseg.training.probe import CHOSEN_BY, expect_enough


@dataclass(frozen=True)
class Distill:
    """Train a student on what its teacher makes of images, without any label.

    With --cache, the teacher's embeddings of views are read from there; without, they are computed in every epoch
    again. With --probe N, N images are held out: the student that agrees best with the teacher on them is kept, and the
    last one is saved as student-last. --dry-run says what the run would need.

    The recipe has all settings; every setting can be changed by its name, the usual ones by a short name. RUN receives
    settings.json, log.jsonl, checkpoints and, at the end, the student. Ctrl-C and SIGTERM save first; the same
    command with --resume then continues, with the same result as without the interruption. torchrun starts it in
    several processes, on a GPU each if there are any: they share each batch, and --max-restarts resumes by itself.

    examples:
      zeroseg distill --recipe photos_small --images photos/ --cache cache --out run
      zeroseg distill --recipe photos_small --images photos/ --cache cache --out run --resume
      zeroseg distill --images scenes/ --cache cache --out run --steps 2000 --losses.dense 0.5
      zeroseg distill --recipe photos_vitb16 --images photos/ --out run
      zeroseg distill --recipe photos_vitb16 --images photos/ --dry-run
      torchrun --nproc-per-node 8 --max-restarts 3 -m zeroseg distill --recipe photos_vitb16 --images photos/ --out run
    """

    images: Annotated[tuple[Path, ...], arg(metavar="IMAGES...", help_behavior_hint="(required to train)")] = ()
    """Pictures, folders of them, tars or Parquet files, text files with a path a line, hf:NAME/SPLIT, or
    hf-stream:NAME/SPLIT, which is not downloaded."""
    cache: Annotated[Path | None, arg(metavar="FOLDER", help_behavior_hint="(default: none)")] = None
    """Their embedded views, as `zeroseg cache` made them."""
    out: Annotated[Path | None, arg(metavar="RUN", help_behavior_hint="(required to train)")] = None
    """The run's folder."""
    recipe: RecipeName = DEFAULT_RECIPE
    """Where all other settings come from."""
    dry_run: bool = False
    """Train nothing: print operations, hours, memory and disk of the run."""
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
        loop = self.short.over(config.loop).shared_by(processes.count())
        name, config = self.teacher or config.student.teacher, replace(config, loop=loop)
        if self.dry_run:
            photos = len(list_images(self.images)) if self.images else None
            if photos is not None and config.probe:
                expect_enough(photos, config.probe)
            config = _tried(config, name)
            cached = config.losses.use_views and (self.cache is not None or config.centre)
            print("\n".join(cost_lines(config, name, cached, photos)))
            return 0
        if not self.images or self.out is None:
            raise UsageError(
                "name images and a folder: `zeroseg distill --images IMAGES --cache CACHE --out RUN` "
                "(see `zeroseg distill --help`)."
            )
        images = list_images(self.images)
        if config.probe:
            expect_enough(len(images), config.probe)  # before a teacher is fetched
        if self.cache is not None or config.centre:
            self._expect_cache(name)
        cache = None if self.cache is None else FeatureCache(self.cache)
        teacher = load_teacher(name)
        if cache is not None:
            cache.check(teacher, config.views)
        config = _for_teacher(config, name, teacher)
        evaluate = self._validation(name, teacher)
        student = distill(images, cache, config, self.out, teacher, evaluate, self.resume)
        if processes.is_first():
            self._say(self.out, student is not None, bool(config.probe))
        return INTERRUPTED if student is None else 0

    def _say(self, run: Path, trained: bool, probed: bool) -> None:
        """How to continue, or where the student is."""
        if not trained:
            say("continue with --resume.")
            return
        if probed:
            print(_said_of_probe(run))
        print(f"the student is in {run / 'student'}; try it:")
        print(f'  zeroseg segment PHOTO --labels "dog, grass" --model {shlex.quote(str(run / "student"))}')

    def _expect_cache(self, teacher: str) -> None:
        """Raise `CacheError` with the command that makes the cache, if there is none."""
        folder = Path("cache") if self.cache is None else self.cache
        if self.cache is None or not (folder / MANIFEST).is_file():
            images = [str(path) for path in self.images]
            words = ["zeroseg", "cache", *images, "--recipe", self.recipe, "--teacher", teacher, "--out", str(folder)]
            where = "this recipe needs --cache" if self.cache is None else f"there is no cache in {str(folder)!r} yet"
            raise CacheError(f"{where}: make it with `{shlex.join(words)}`.")

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


def _for_teacher(config: DistillConfig, name: str, teacher: Teacher) -> DistillConfig:
    """The settings with name and sizes of the teacher."""
    student = replace(config.student, teacher=lasting_name(name), embedding_width=teacher.width)
    return replace(config, student=as_tower_of(student, teacher))


def _tried(config: DistillConfig, name: str) -> DistillConfig:
    """The settings of a run whose student can start as they say; models that are not on this machine are not fetched.

    Raises `TeacherError`, `WeightsError` and `TrainingError` as the run would.
    """
    start, sizes = config.start_from, tower_sizes(name)
    if not _is_here(name):
        if sizes is not None:
            expect_tower(config, sizes)
        return config
    teacher = load_teacher(name)
    config = _for_teacher(config, name, teacher)
    if not start or _is_here(start):
        build_student(replace(config, centre=False), None, teacher)
    return config


def _is_here(name: str) -> bool:
    return bundled(name) is not None or Path(name).is_dir()


def _said_of_probe(run: Path) -> str:
    """Which student was kept, and how it agrees with the teacher, as far as the log has it."""
    rows = [row for row in read_log(run) if isinstance(row.get(CHOSEN_BY), float)]
    before = [f" (before training {row[CHOSEN_BY]:.1%})" for row in rows if row["step"] < 0]
    best = max((row for row in rows if row["step"] >= 0), key=lambda row: row[CHOSEN_BY], default=None)
    if best is None:
        return "kept: the student that agrees best with the teacher on the images that were held out"
    return (
        f"kept: the student after step {best['step'] + 1}, which names {best[CHOSEN_BY]:.1%} of the patches that were "
        f"held out as the teacher's windows do{''.join(before[:1])}, without any label"
    )


def main(arguments: Sequence[str]) -> int:
    """Parse, with the recipe's settings as defaults, and run; processes of torchrun say what is wrong once."""
    with processes.joined():
        default = recipe_in(arguments)

        def options(
            command: Annotated[Distill, arg(name=""), FlagCreatePairsOff],
            config: Annotated[DistillConfig, arg(name="")] = default,
        ) -> tuple[Distill, DistillConfig]:
            return command, config

        command, config = parse(options, "distill", arguments, Distill.__doc__, REGISTRY, pairs=True)
        return command.run(config)
