"""The demo's report."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date

import torch

from zeroseg import __version__, report
from zeroseg.demo import curves
from zeroseg.demo.comparison import EVALUATE, Row
from zeroseg.demo.config import DemoConfig
from zeroseg.demo.pictures import Shown, found
from zeroseg.demo.training_run import TrainingRun
from zeroseg.report import Html, Section
from zeroseg.teacher import Teacher

INPUT = (
    "The input is one line of words. It may contain synonyms, stuff such as water, and words for things that the "
    "picture does not show. The rest is background. A word has the same colour in all pictures."
)
PHOTOS = f"The bundled student for photos, on photos that it was not trained on. {INPUT}"
SCENES = f"The bundled student of the picturebook, on scenes that it was not trained on. {INPUT}"


def compose(
    photos: Sequence[Shown],
    scenes: Sequence[Shown],
    trained: TrainingRun,
    rows: Sequence[Row],
    commands: Sequence[tuple[str, str]],
    by: Teacher,
    config: DemoConfig,
    seconds: float,
) -> str:
    """The report as one HTML page."""
    start, end, bundled, *_ = (row.miou for row in rows)
    loop = trained.config.loop
    lead = [
        report.paragraph(
            f"A student network was trained on {trained.images:,} unlabelled pictures for {trained.seconds / 60:.1f} "
            "minutes to predict the embeddings that a frozen CLIP, its teacher, gives to crops of them. It had no "
            "labels. Given words, it now finds the pixels that they name."
        ),
        report.chips(
            {
                "mIoU at the start, %": f"{start:.1f}",
                f"after {loop.steps:,} steps": f"{end:.1f}",
                "bundled student": f"{bundled:.1f}",
            }
            | {row.name: f"{row.miou:.1f}" for row in rows[3:]}
        ),
    ]
    sections = [Section("Photos, segmented by words", _pictures_part(PHOTOS, photos))] if photos else []
    sections += [
        Section("Scenes of the picturebook, segmented by words", _pictures_part(SCENES, scenes)),
        Section("A student learns from scratch", _learning_part(trained, rows, config)),
        Section("Side by side", _table_part(rows, config)),
        Section("Settings", (report.facts(settings(trained, by, config, seconds)),)),
        Section("How to go on", _next_part(commands)),
    ]
    footer = f"Made by zeroseg {__version__} demo on {date.today().isoformat()}."
    return report.page("ZeroSeg: the whole method in minutes", sections, lead, footer)


def _pictures_part(words: str, shown: Sequence[Shown]) -> tuple[Html, ...]:
    pairs = [
        report.beside(
            [
                report.picture(one.image, one.name, one.alt),
                report.picture(
                    one.overlay,
                    f"Labels: {one.labels}.",
                    f"{one.alt} Tinted by what the student found: {found(one.segmentation)}.",
                ),
            ]
        )
        for one in shown
    ]
    return (report.paragraph(words), *pairs)


def _learning_part(trained: TrainingRun, rows: Sequence[Row], config: DemoConfig) -> tuple[Html, ...]:
    rows_of_log, weights = trained.rows, asdict(trained.config.losses)
    return (
        report.paragraph(
            f"mIoU on {config.curve_scenes} held-out scenes while the student learns; the dashed lines are from the "
            "table below."
        ),
        curves.learning_curve(rows_of_log, {row.name: row.miou for row in rows[2:]}),
        report.paragraph(
            "The diagnostics show a collapse while it happens: all tokens become equal (cosine 1), one segment gets "
            "all patches, the assignment stays undecided, or all tokens are nearest to the same view."
        ),
        report.grid(
            [curves.losses(rows_of_log, [name for name in weights if weights[name]]), *curves.diagnostics(rows_of_log)]
        ),
        curves.nearest_views(rows_of_log, trained.config.views),
    )


def _table_part(rows: Sequence[Row], config: DemoConfig) -> tuple[Html, ...]:
    scenes, classes = rows[0].result.images, len(rows[0].result.classes) - 1
    cells = [(row.name, row.miou, row.result.read_out.background.threshold) for row in rows]
    return (
        report.table(
            ("who segments", "mIoU, %", "margin"),
            cells,
            f"{scenes} held-out scenes, {classes} nouns and background. Margin: by how much (cosine x 100) a label "
            f"must exceed the best background word; tuned on {config.tuning_scenes} validation scenes, except the "
            f"bundled student's own. {EVALUATE}",
            strong=(1,),
        ),
    )


def settings(trained: TrainingRun, by: Teacher, config: DemoConfig, seconds: float) -> dict[str, report.Cell]:
    """The settings of the demo: what was run, where and for how long."""
    recipe, loop = trained.config, trained.config.loop
    parameters = sum(weight.numel() for weight in trained.student.parameters())
    weights = {name: weight for name, weight in asdict(recipe.losses).items() if weight}
    return {
        "images": f"{trained.images:,} scenes of the picturebook, unlabelled",
        "views": f"{len(recipe.views.boxes())} an image ({recipe.views.key})",
        "teacher": f"{by.family} {by.fingerprint}, {_millions(by.parameters)} parameters, {by.width} dimensions",
        "student": f"{_millions(parameters)} parameters",
        "steps": f"{loop.steps:,} of {loop.batch_size} images, {loop.steps * loop.batch_size:,} in all",
        "losses": ", ".join(f"{weight:g} {name.replace('_', '-')}" for name, weight in weights.items()),
        "learning rate": f"{loop.optimiser.learning_rate:g}, warm-up and cosine",
        "training": f"{trained.seconds / 60:.1f} minutes, with evaluations on held-out scenes",
        "whole demo": f"{seconds / 60:.1f} minutes",
        "margins": f"tuned on {config.tuning_scenes} validation scenes",
        "machine": f"{os.cpu_count()} cores, {torch.get_num_threads()} threads, {platform.platform(terse=True)}",
        "versions": f"zeroseg {__version__}, torch {torch.__version__}, Python {platform.python_version()}",
        "run": str(trained.run),
    }


def _millions(parameters: int) -> str:
    return f"{parameters / 1e6:.2f} M"


def _next_part(commands: Sequence[tuple[str, str]]) -> tuple[Html, ...]:
    return (
        report.code(commands),
        report.paragraph(
            "The student that was just trained knows only the picturebook. For photos, the README says how to take a "
            "CLIP from the hub as the teacher and distil it on your own images."
        ),
    )
