"""The demo's third part: a comparison of students and of the teacher."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.table import Table

from zeroseg.baselines import baseline_segmenter
from zeroseg.demo.config import DATASET, DemoConfig
from zeroseg.demo.log import Log
from zeroseg.demo.training_run import TrainingRun
from zeroseg.evaluation import Result, evaluate, open_dataset, tune_margin
from zeroseg.feature_cache import FeatureCache
from zeroseg.method_names import BaselineName
from zeroseg.segmenter import Segmenter
from zeroseg.training.distill import build_student

EVALUATE = "`zeroseg evaluate` takes 300 scenes and tunes the teacher's margins on 100: its figures differ a little."


@dataclass(frozen=True)
class Row:
    """One line of the table: a method and its result."""

    name: str
    result: Result

    @property
    def miou(self) -> float:
        """mIoU in per cent."""
        return 100 * self.result.miou


def compare(trained: TrainingRun, cache: FeatureCache, bundled: Segmenter, config: DemoConfig, log: Log) -> list[Row]:
    """mIoU of the student before and after training, of the bundled student, and of two baselines of the teacher.

    Margins are tuned on validation scenes; the two trained students use those of their configs. The baselines are those
    of `zeroseg evaluate --method`, with as many iterations of refinement as the student.
    """
    by = bundled.whole_teacher
    untrained = build_student(trained.config, cache, by).to(by.device).eval()
    validation = open_dataset(DATASET, "validation", config.tuning_scenes)
    held_out = open_dataset(DATASET, "held-out", config.table_scenes)

    def tuned(name: BaselineName) -> Segmenter:
        return tune_margin(baseline_segmenter(name, by, bundled.read_out.refinement), validation)

    candidates = {
        "student at the start": tune_margin(Segmenter.of(untrained, by), validation),
        f"student after {trained.seconds / 60:.1f} minutes": Segmenter.of(trained.student, by),
        "bundled student": bundled,
        "teacher, MaskCLIP-style": tuned("maskclip"),
        "teacher, 4 x 4 crops": tuned("crops"),
    }
    with log.bar("evaluating", len(candidates) * len(held_out)) as advance:
        return [Row(name, evaluate(segmenter, held_out, advance)) for name, segmenter in candidates.items()]


def terminal_table(rows: Sequence[Row]) -> Table:
    """The mIoU of all methods, for the terminal."""
    title = f"mIoU on {rows[0].result.images} held-out scenes, %"
    shown = Table("who segments", title=title, caption=EVALUATE, box=box.SIMPLE)
    shown.title_justify = shown.caption_justify = "left"
    shown.add_column("mIoU", justify="right")
    for row in rows:
        shown.add_row(row.name, f"{row.miou:.1f}")
    return shown
