"""The paper's figures on scenes: the same pictures segmented by the students of several rows, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from zeroseg.drawing import contact_sheet, display_size, overlay, save_image
from zeroseg.drawing.palettes import PAPER
from zeroseg.experiments import Laboratory, plan, trained_segmenter
from zeroseg.picturebook import ALL_NOUNS, SIDE, STUFF_NAMES, VOC_NOUNS, draw_scene, nouns_named
from zeroseg.reproduce.paper_table import LOSSES, Scale
from zeroseg.reproduce.results import figure_path
from zeroseg.segmenter import Segmenter
from zeroseg.student.config import ReadOut

SCENES = 4  # the first held-out ones, not the best ones
CELL = 400  # pixels


@dataclass(frozen=True)
class Figure:
    """Rows whose students are set side by side, and the words that they are asked for."""

    rows: tuple[str, ...]
    labels: tuple[str, ...]
    nouns: tuple[str, ...]
    has_background: bool = True

    def reads(self, read_out: ReadOut) -> ReadOut:
        """A student's read-out, unrefined, as all rows have it; where the words are for everything, no background."""
        return replace(read_out, refinement=0, background=read_out.background if self.has_background else "none")


FIGURES = {
    "losses": Figure(tuple(LOSSES), VOC_NOUNS, VOC_NOUNS),
    "captions": Figure(("ours", "captions-segments"), (*ALL_NOUNS, *STUFF_NAMES), ALL_NOUNS, has_background=False),
}


def draw_figures(scale: Scale, lab: Laboratory, pages: Path, steps: int | None = None) -> list[Path]:
    """Draw the figures whose students the first seed has left in the laboratory; returns the pictures' paths.

    Raises `OutputError`.
    """
    drawn: list[Path] = []
    for name, figure in FIGURES.items():
        segmenters = trained(scale, lab, figure.rows, steps)
        if len(segmenters) == len(figure.rows):
            drawn.append(pages / figure_path(scale, name))
            save_image(_sheet(figure, segmenters), drawn[-1])
    return drawn


def trained(scale: Scale, lab: Laboratory, rows: Sequence[str], steps: int | None = None) -> dict[str, Segmenter]:
    """The students of some rows' first seed, as far as they are recorded, with the margins of their records."""
    found: dict[str, Segmenter] = {}
    for run in plan(scale.rows, lab, 1, steps, rows):
        segmenter, record = trained_segmenter(run, lab), run.record(lab)
        if segmenter is not None and record is not None:
            own = record.scores["held-out"][scale.rows.datasets[0]][next(iter(scale.rows.readings))]
            found[run.variant.name] = segmenter.reading(margin=own.get("margin", segmenter.read_out.margin))
    return {row: found[row] for row in rows if row in found}


def _sheet(figure: Figure, segmenters: Mapping[str, Segmenter]) -> Image.Image:
    cells: list[Image.Image] = []
    captions: list[str] = []
    for number in range(SCENES):
        picture = draw_scene("held-out", number, nouns_named(figure.nouns), side=4 * SIDE).image
        seen = picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS)  # the size that the students know
        cells.append(picture.resize(display_size(seen.size), Image.Resampling.LANCZOS))
        cells += [
            overlay(seen, segmenter(seen, figure.labels, figure.reads(segmenter.read_out)))
            for segmenter in segmenters.values()
        ]
        captions += [f"scene {number}", *segmenters]
    return contact_sheet(_of_one_size(cells), 1 + len(segmenters), captions, CELL)


def _of_one_size(pictures: Sequence[Image.Image]) -> list[Image.Image]:
    """The pictures on paper, with room for the widest legend of all: so they stay of one scale on a sheet."""
    size = (max(picture.width for picture in pictures), max(picture.height for picture in pictures))
    sheets = [Image.new("RGB", size, PAPER) for _ in pictures]
    for sheet, picture in zip(sheets, pictures, strict=True):
        sheet.paste(picture, (0, 0))
    return sheets
