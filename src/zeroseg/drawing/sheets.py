"""Many pictures on one sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import Image, ImageDraw

from zeroseg.drawing.lettering import legible
from zeroseg.drawing.palettes import INK, PAPER

GAP, TEXT_SIZE = 10, 14  # pixels


def contact_sheet(
    images: Sequence[Image.Image], columns: int, captions: Sequence[str] | None = None, cell: int = 256
) -> Image.Image:
    """Arrange pictures on a sheet, row by row, each fitted into a square of `cell` pixels.

    A row is as tall as its tallest picture. A caption is one line below its picture, cut to the width of the cell.

    Raises:
        ValueError: without pictures or columns, or if the number of captions is not that of pictures.
    """
    if not images or columns < 1 or cell < 1:
        raise ValueError("a contact sheet needs pictures, columns and cells of at least one")
    if captions is not None and len(captions) != len(images):
        raise ValueError(f"{len(captions)} captions for {len(images)} pictures")
    tallest = max(max(1, round(image.height * cell / max(image.size))) for image in images)
    pitch_y = tallest + GAP + (0 if captions is None else 2 * TEXT_SIZE)
    columns, rows = min(columns, len(images)), math.ceil(len(images) / columns)
    sheet = Image.new("RGB", (GAP + columns * (cell + GAP), GAP + rows * pitch_y), PAPER)
    pen = ImageDraw.Draw(sheet)
    for index, image in enumerate(images):
        left, top = GAP + index % columns * (cell + GAP), GAP + index // columns * pitch_y
        scale = cell / max(image.size)
        fitted = image.convert("RGB").resize([max(1, round(side * scale)) for side in image.size])
        sheet.paste(fitted, (left + (cell - fitted.width) // 2, top + tallest - fitted.height))
        if captions is not None:
            caption, font = legible(captions[index], f"#{index + 1}", TEXT_SIZE, cell)
            where = (left + cell // 2, top + tallest + 4)
            pen.text(where, caption, INK, font, anchor="ma")
    return sheet
