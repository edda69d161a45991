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
from zeroseg.demo.lesson import Lesson
from zeroseg.demo.pictures import Shown, found
from zeroseg.report import Html, Section
from zeroseg.teacher import Teacher


def compose(
    shown: Sequence[Shown],
    lesson: Lesson,
    rows: Sequence[Row],
    commands: Sequence[tuple[str, str]],
    by: Teacher,
    config: DemoConfig,
    seconds: float,
) -> str:
    """The report as one HTML page."""
    start, end, bundled, *_ = (row.miou for row in rows)
    loop = lesson.config.loop
    lead = [
        report.paragraph(
            f"A student network looked at {lesson.images:,} unlabelled pictures for {lesson.seconds / 60:.1f} minutes "
            "and learnt to predict what a frozen CLIP, its teacher, says about crops of them. Nobody told it what is "
            "where; asked for words, it now says which pixels they name."
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
    sections = [
        Section("Pictures, segmented by words", _pictures_part(shown)),
        Section("A student learns from scratch", _learning_part(lesson, rows, config)),
        Section("Side by side", _table_part(rows, config)),
        Section("Settings", (report.facts(settings(lesson, by, config, seconds)),)),
        Section("How to go on", _next_part(commands)),
    ]
    footer = f"Made by zeroseg {__version__} demo on {date.today().isoformat()}."
    return report.page("ZeroSeg: the whole method in minutes", sections, lead, footer)


def _pictures_part(shown: Sequence[Shown]) -> tuple[Html, ...]:
    words = report.paragraph(
        "The bundled student and pictures that it never saw. What is asked for is only a line of words: synonyms, "
        "stuff such as water, and words for things that are not there may stand in it. What fits none is background."
    )
    pairs = [
        report.beside(
            [
                report.picture(one.image, one.name, one.alt),
                report.picture(
                    one.overlay,
                    f"Asked for: {one.labels}.",
                    f"{one.alt} Tinted by what the student found: {found(one.segmentation)}.",
                ),
            ]
        )
        for one in shown
    ]
    return (words, *pairs)


def _learning_part(lesson: Lesson, rows: Sequence[Row], config: DemoConfig) -> tuple[Html, ...]:
    log, weights = lesson.log, asdict(lesson.config.losses)
    return (
        report.paragraph(
            f"mIoU on {config.curve_scenes} held-out scenes while the student learns; the levels beside it are those "
            "of the table below."
        ),
        curves.learning_curve(log, {row.name: row.miou for row in rows[2:]}),
        report.paragraph(
            "The instruments show a collapse while it happens: tokens that all become the same (cosine 1), one segment "
            "that takes every patch, an assignment that never decides, all tokens near one and the same view."
        ),
        report.grid([curves.losses(log, [name for name in weights if weights[name]]), *curves.instruments(log)]),
        curves.nearest_views(log, lesson.config.views),
    )


def _table_part(rows: Sequence[Row], config: DemoConfig) -> tuple[Html, ...]:
    scenes, classes = rows[0].result.images, len(rows[0].result.classes) - 1
    cells = [(row.name, row.miou, row.ceiling, row.result.read_out.margin) for row in rows]
    return (
        report.table(
            ("who segments", "mIoU, %", "ceiling, %", "margin"),
            cells,
            f"{scenes} held-out scenes, {classes} nouns and background. Ceiling: mIoU if every patch, segment or crop "
            "carried its most frequent class, drawn alike. Margin: by how much (cosine x 100) a label must beat the "
            f"best background word; tuned on {config.tuning_scenes} validation scenes, but for the bundled student's "
            f"own. {EVALUATE}",
            strong=(1,),
        ),
    )


def settings(lesson: Lesson, by: Teacher, config: DemoConfig, seconds: float) -> dict[str, report.Cell]:
    """What was run, where and for how long."""
    recipe, loop = lesson.config, lesson.config.loop
    parameters = sum(weight.numel() for weight in lesson.student.parameters())
    weights = {name: weight for name, weight in asdict(recipe.losses).items() if weight}
    return {
        "images": f"{lesson.images:,} scenes of the picturebook, unlabelled",
        "views": f"{len(recipe.views.boxes())} an image ({recipe.views.key})",
        "teacher": f"{by.family} {by.fingerprint}, {_millions(by.parameters)} parameters, {by.width} dimensions",
        "student": f"{_millions(parameters)} parameters",
        "steps": f"{loop.steps:,} of {loop.batch_size} images, {loop.steps * loop.batch_size:,} in all",
        "losses": ", ".join(f"{weight:g} {name.replace('_', '-')}" for name, weight in weights.items()),
        "learning rate": f"{loop.optimiser.learning_rate:g}, warm-up and cosine",
        "training": f"{lesson.seconds / 60:.1f} minutes, looks at held-out scenes included",
        "whole demo": f"{seconds / 60:.1f} minutes",
        "margins": f"tuned on {config.tuning_scenes} validation scenes",
        "machine": f"{os.cpu_count()} cores, {torch.get_num_threads()} threads, {platform.platform(terse=True)}",
        "versions": f"zeroseg {__version__}, torch {torch.__version__}, Python {platform.python_version()}",
        "run": str(lesson.run),
    }


def _millions(parameters: int) -> str:
    return f"{parameters / 1e6:.2f} M"


def _next_part(commands: Sequence[tuple[str, str]]) -> tuple[Html, ...]:
    return (
        report.code(commands),
        report.paragraph(
            "The bundled weights know the picturebook and nothing else. For photos, the README says how to take a CLIP "
            "from the hub as the teacher and distil it on your own images."
        ),
    )
