"""The paper's figures on scenes: the same pictures segmented by the students of several rows, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image

from zeroseg.drawing import contact_sheet, display_size, overlay, save_image
from zeroseg.drawing.palettes import PAPER
from zeroseg.experiments import ExperimentContext, plan, trained_segmenter
from zeroseg.picturebook import SIDE, draw_scene, nouns_named
from zeroseg.reproduce.paper_table import Figure, Scale
from zeroseg.reproduce.results import figure_path
from zeroseg.rules import Margin
from zeroseg.segmenter import Segmenter
from zeroseg.student.config import ReadOut

SCENES = 4  # the first held-out ones, not the best ones
CELL = 400  # pixels


def draw_figures(scale: Scale, context: ExperimentContext, pages: Path, steps: int | None = None) -> list[Path]:
    """Draw the figures whose students (of the first seed) are trained; returns the paths of the pictures.

    Raises `OutputError`.
    """
    drawn: list[Path] = []
    for figure in scale.figures:
        segmenters = trained(scale, context, figure.rows, steps)
        if len(segmenters) == len(figure.rows):
            drawn.append(pages / figure_path(scale, figure.name))
            save_image(_sheet(figure, segmenters), drawn[-1])
    return drawn


def trained(
    scale: Scale, context: ExperimentContext, rows: Sequence[str], steps: int | None = None
) -> dict[str, Segmenter]:
    """The students of some rows (of the first seed) that have records, with the margins of their records."""
    found: dict[str, Segmenter] = {}
    for run in plan(scale.rows, context, 1, steps, rows):
        segmenter, record = trained_segmenter(run, context), run.record(context)
        if segmenter is not None and record is not None:
            own = record.scores["held-out"][scale.rows.datasets[0]][next(iter(scale.rows.readings))]
            found[run.variant.name] = (
                segmenter.reading(background=Margin(own["margin"])) if "margin" in own else segmenter
            )
    return {row: found[row] for row in rows if row in found}


def _sheet(figure: Figure, segmenters: Mapping[str, Segmenter]) -> Image.Image:
    cells: list[Image.Image] = []
    captions: list[str] = []
    for number in range(SCENES):
        picture = draw_scene("held-out", number, nouns_named(figure.nouns), side=4 * SIDE).image
        seen = picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS)  # the size on which the students are trained
        cells.append(picture.resize(display_size(seen.size), Image.Resampling.LANCZOS))
        cells += [
            overlay(seen, segmenter(seen, figure.labels, _read_out(figure, segmenter)))
            for segmenter in segmenters.values()
        ]
        captions += [f"scene {number}", *segmenters]
    return contact_sheet(_of_one_size(cells), 1 + len(segmenters), captions, CELL)


def _read_out(figure: Figure, segmenter: Segmenter) -> ReadOut:
    """A student's own read-out without refinement, as in all rows; without background if the figure has none."""
    own = segmenter.read_out
    rule = own.background if figure.has_background else own.background.without_background()
    return replace(own, refinement=0, background=rule)


def _of_one_size(pictures: Sequence[Image.Image]) -> list[Image.Image]:
    """The pictures on canvases of one size, which fits the widest legend, so that all have one scale on a sheet."""
    size = (max(picture.width for picture in pictures), max(picture.height for picture in pictures))
    sheets = [Image.new("RGB", size, PAPER) for _ in pictures]
    for sheet, picture in zip(sheets, pictures, strict=True):
        sheet.paste(picture, (0, 0))
    return sheets
