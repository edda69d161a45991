"""`zeroseg reproduce`: the paper's tables, at small or at full scale, compared with the paper's figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

from rich.console import Console
from rich.table import Table
from tyro.conf import Positional, arg

from zeroseg.cli.messages import INTERRUPTED, UsageError, complain
from zeroseg.cli.parsing import parse
from zeroseg.cli.progress import counting
from zeroseg.cli.run_options import RunOptions, going_on
from zeroseg.dataset_names import PICTUREBOOKS
from zeroseg.errors import TrainingError, hint
from zeroseg.experiments import ExperimentContext, Scenes
from zeroseg.images import find_images
from zeroseg.reproduce import SCALES, Scale, draw_figures, prepare_study, write_results
from zeroseg.reproduce.costs import run_budgets
from zeroseg.reproduce.making import expect_test_sets, measure_missing_speed, rows_of, rows_to_measure
from zeroseg.reproduce.speed import ROUNDS
from zeroseg.study import count_checks

QUICK = 6  # --quick divides the number of steps by this
QUICK_SCENES = Scenes(20, 40)
QUICK_ROUNDS = 5
NAMES = SCALES["picturebook"].names
OWN_FOLDERS, OWN_STUDY = RunOptions(), Path("study")  # the folders of a complete run


@dataclass(frozen=True)
class Folders:
    """Folders of real data sets (docs/datasets.md), for the paper's scale."""

    voc: Annotated[Path | None, arg(metavar="FOLDER", help_behavior_hint="")] = None
    """PASCAL VOC 2012."""
    context: Annotated[Path | None, arg(metavar="FOLDER", help_behavior_hint="")] = None
    """PASCAL Context."""
    coco: Annotated[Path | None, arg(metavar="FOLDER", help_behavior_hint="")] = None
    """COCO with the masks of COCO-Stuff."""

    def by_dataset(self) -> dict[str, Path]:
        """The given folders, by the data set's name."""
        named = {"voc21": self.voc, "context60": self.context, "coco-object": self.coco}
        return {name: folder for name, folder in named.items() if folder is not None}


@dataclass(frozen=True)
class Reproduce(RunOptions):
    """Train the rows of the paper's tables and compare our figures with the paper's.

    t1: distillation, supervision by captions and by masks, and baselines without training; t2: the human study, for
    `zeroseg study serve`; t3: window scales; t4: losses; t5: mask ratios; t6: more images; t7: cost; t8: sub-words and
    compound words; figures: overlays of the loss variants, and of words from captions, on scenes. All use one cache,
    with the windows of all scales; a row that is in several tables is run once. Each run writes a small record; the
    page with tables and plots is written only from records. A run that has a record with the same settings is not
    repeated, except that t2 and figures need the students. Ctrl-C saves; the same command continues.

    examples:
      zeroseg reproduce t3 t4 --images images --cache cache
      zeroseg reproduce t5 --images images --cache cache --quick --records try/records --pages try
      zeroseg reproduce --page-only
      zeroseg reproduce --scale paper --dry-run
    """

    tables: Positional[
        Annotated[tuple[str, ...], arg(metavar=f"{{{','.join(NAMES)}}}...", help_behavior_hint="(default: all)")]
    ] = ()
    """The tables; t2 and figures exist only on scenes."""
    scale: Literal["picturebook", "paper"] = "picturebook"
    """The embedded world and our recipe, short; or ImageNet, the paper's recipe and its benchmarks."""
    quick: bool = False
    """One seed and a sixth of the steps, measured on few scenes: a test of a few minutes."""
    dry_run: bool = False
    """Run nothing: print the cost of the runs (images, steps, operations, hours, bytes)."""
    tflops: Annotated[float | None, arg(help_behavior_hint="(default: 31 at the paper's scale, else 0.1)")] = None
    """The speed that a dry run assumes, in 10^12 operations a second. 31 follows from the paper's 84 V100-hours, 0.1 is
    a thread of a CPU core."""
    speed_rounds: Annotated[int | None, arg(help_behavior_hint="(default: 20, or 5 with --quick)")] = None
    """How many training steps of each row are timed for its speed-up."""
    study: Annotated[Path, arg(metavar="FOLDER")] = OWN_STUDY
    """Where the human study goes, a new folder (t2)."""
    data: Folders = field(default_factory=Folders)

    def run(self) -> int:
        """Make the missing runs, draw the figures, then write the page of all tables."""
        scale = SCALES[self.scale]
        tables = self.tables or scale.names
        self._check(scale, tables)
        asked = self._quick(scale) if self.quick else self
        if self.dry_run:
            asked._print_budgets(scale, rows_of(scale, tables))
            return 0
        if self.page_only:
            print(f"the page: {write_results(scale, self.records, self.pages)}")
            return 0
        with going_on():
            return asked._make(scale, tables)

    def _check(self, scale: Scale, tables: Sequence[str]) -> None:
        """Raise `UsageError` for options that do not fit together."""
        self.check()
        if self.tflops is not None and self.tflops <= 0:
            raise UsageError(f"--tflops must be above 0, not {self.tflops:g}.")
        if self.speed_rounds is not None and self.speed_rounds < 1:
            raise UsageError(f"--speed-rounds must be 1 or more, not {self.speed_rounds}.")
        for name in tables:
            if name not in scale.names:
                among = f"{hint(name, scale.names)}: choose among {', '.join(scale.names)}"
                raise UsageError(f"at the scale {scale.name} there is no table {name!r}{among}.")
        if self.quick and not self.dry_run:
            kept = {"--records": (self.records, OWN_FOLDERS.records), "--pages": (self.pages, OWN_FOLDERS.pages)}
            kept |= {"--study": (self.study, OWN_STUDY)} if scale.study and scale.study.name in tables else {}
            for option, (given, whole) in kept.items():
                if given.resolve() == whole.resolve():
                    raise UsageError(f"--quick needs {option}, or it would overwrite complete runs in {whole}.")

    def _quick(self, scale: Scale) -> Reproduce:
        steps = self.steps or scale.rows.recipe().loop.steps
        scenes = QUICK_SCENES if self.scenes == Scenes() else self.scenes
        return replace(self, seeds=1, steps=max(1, steps // QUICK), scenes=scenes)

    def _make(self, scale: Scale, tables: Sequence[str]) -> int:
        context = self.context(scale.rows.recipe().student.teacher)
        context = replace(context, folders=self.data.by_dataset())
        if self.scenes == Scenes():
            context = replace(context, scenes=scale.measured_on)
        expect_test_sets(scale, context)
        shown = rows_of(scale, [name for name in tables if name in scale.shown])
        rows, beyond = rows_to_measure(scale, tables, len(context.images))
        if beyond:
            print(f"left out, because they need more than {scale.images:,} images: {', '.join(beyond)}")
        codes = [self.make_runs(scale.rows, context, rows)] if rows else []
        if shown and INTERRUPTED not in codes:
            codes.append(replace(self, seeds=1).make_runs(scale.rows, context, shown))
        if INTERRUPTED in codes or (shown and not self.make_students(scale.rows, context, shown)):
            return INTERRUPTED
        rounds = self.speed_rounds or (QUICK_ROUNDS if self.quick else ROUNDS)
        measure_missing_speed(scale, context, tables, self.steps, rounds, counting)
        for path in draw_figures(scale, context, self.pages, self.steps):
            print(f"a figure: {path}")
        print(f"the page: {write_results(scale, self.records, self.pages)}")
        if scale.study is not None and scale.study.name in tables:
            self._prepare_study(scale, context)
        return max(codes, default=0)

    def _prepare_study(self, scale: Scale, context: ExperimentContext) -> None:
        if self.study.exists():
            print(f"the study is there already: {self.study}")
            return
        assert scale.study is not None
        try:
            questions = scale.study.questions
            with counting("the study", questions + count_checks(questions), "questions") as progress:
                print(f"the study: {prepare_study(scale, context, self.study, self.steps, progress)}")
        except TrainingError as error:  # a run that failed; its error is printed already
            complain(error)

    def _print_budgets(self, scale: Scale, rows: Sequence[str]) -> None:
        """Print the cost of all runs of these rows as a table."""
        images = len(find_images(self.images)) if self.images else scale.images
        budgets = run_budgets(scale.rows, rows, images, scale.teacher, self.steps)
        tflops = self.tflops or scale.tflops
        table = Table("row", "images", "steps", "samples", "FLOP", "hours")
        for column in table.columns[1:]:
            column.justify = "right"
        for name, one in budgets.items():
            hours = f"{one.hours(tflops):,.2f}"
            table.add_row(
                name, f"{one.images:,}", f"{one.steps:,}", f"{one.samples:,}", f"{one.training_flops:.3g}", hours
            )
        console = Console(highlight=False, soft_wrap=True)
        console.print(table)
        for needed in scale.data:
            console.print(f"needed: {needed}", markup=False)
        real = [dataset for dataset in scale.rows.datasets if dataset not in PICTUREBOOKS]
        missing = [dataset for dataset in real if dataset not in self.data.by_dataset()]
        if missing:
            console.print(f"not named yet: {', '.join(missing)}")
        runs = self.seeds * len(budgets)
        if budgets:
            cache = max(budgets.values(), key=lambda one: one.cache_flops)
            console.print(
                f"the cache, once: {images:,} images, {cache.views} views each, {cache.cache_flops:.3g} FLOP, "
                f"{cache.cache_hours(tflops):,.2f} hours, {cache.cache_bytes / 1e9:,.2f} GB"
            )
            total = self.seeds * sum(one.hours(tflops) for one in budgets.values())
            left = self.seeds * sum(one.student_bytes for one in budgets.values())
            console.print(
                f"{runs} runs ({self.seeds} seeds): {total:,.1f} hours at {tflops:g} TFLOP/s; "
                f"finished runs {left / 1e9:,.2f} GB, a checkpoint of the current run "
                f"{max(one.checkpoint_bytes for one in budgets.values()) / 1e9:,.2f} GB"
            )
        console.print("only training: reading images and measuring are extra (at small scale about as long again)")
        untrained = [row for row in rows if row not in budgets]
        if untrained:
            console.print(f"measured only: {', '.join(untrained)}")


def main(arguments: Sequence[str]) -> int:
    """Parse, and run."""
    return parse(Reproduce, "reproduce", arguments).run()
