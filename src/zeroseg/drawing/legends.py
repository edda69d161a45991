"""The legend of an overlay: the labels that occur, with their colours and fractions of the picture.

If no font has the letters of a label (such as Chinese on a server without fonts), the legend shows "#3", the index of
the label; the JSON has the text for it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from zeroseg.drawing.lettering import latin_font, legible
from zeroseg.drawing.palettes import INK, NO_TINT, PAPER, RGB
from zeroseg.segmentation import Segmentation, percentage

LEGEND_ROWS = 24


class _Row(NamedTuple):
    colour: RGB | None  # None: no swatch
    label: str
    percent: str
    font: ImageFont.FreeTypeFont


def with_legend(picture: Image.Image, segmentation: Segmentation, colours: dict[int, RGB]) -> Image.Image:
    """The picture with a legend right of it, or below a wide one; `colours` of the labels by index."""
    text_size = min(28, max(15, max(picture.size) // 45))
    rows = _legend_rows(segmentation, colours, text_size)
    pad, gap, pitch = text_size, 2 * text_size, round(text_size * 1.7)
    label_width = math.ceil(max(row.font.getlength(row.label) for row in rows))
    column = pitch + label_width + 4 * text_size  # swatch, label, per cent
    beside = picture.width <= 1.25 * picture.height
    if beside:
        columns = math.ceil(len(rows) / max(1, (picture.height - 2 * pad) // pitch))
    else:
        columns = min(len(rows), max(1, (picture.width - 2 * pad + gap) // (column + gap)))
    per_column = math.ceil(len(rows) / columns)
    panel = (columns * (column + gap) - gap + 2 * pad, per_column * pitch + 2 * pad)
    if beside:
        canvas = Image.new("RGB", (picture.width + panel[0], max(picture.height, panel[1])), PAPER)
    else:
        canvas = Image.new("RGB", (max(picture.width, panel[0]), picture.height + panel[1]), PAPER)
    canvas.paste(picture, (0, 0))
    left, top = (picture.width + pad, pad) if beside else (pad, picture.height + pad)
    pen = ImageDraw.Draw(canvas)
    for number, row in enumerate(rows):
        x = left + number // per_column * (column + gap)
        y = top + number % per_column * pitch
        if row.colour is not None:
            pen.rounded_rectangle((x, y, x + text_size, y + text_size), text_size // 5, row.colour, INK)
        middle = y + text_size // 2
        pen.text((x + pitch, middle), row.label, INK, row.font, anchor="lm")
        pen.text((x + column, middle), row.percent, INK, latin_font(text_size), anchor="rm")
    return canvas


def _legend_rows(segmentation: Segmentation, colours: dict[int, RGB], text_size: int) -> list[_Row]:
    present = segmentation.present_indices
    rows: list[_Row] = []
    for index in present[:LEGEND_ROWS]:
        label, font = legible(segmentation.labels[index], f"#{index}", text_size, 14 * text_size)
        percent = percentage(float(segmentation.fractions[index]))
        rows.append(_Row(colours.get(index, NO_TINT), label, percent, font))
    if len(present) > LEGEND_ROWS:
        rows.append(_Row(None, f"+ {len(present) - LEGEND_ROWS} more", "", latin_font(text_size)))
    return rows
