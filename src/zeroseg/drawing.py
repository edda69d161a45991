"""Segmentations as pictures: masks with a palette, overlays with a legend, contact sheets.

Two palettes: `palette` is PASCAL VOC's, which other tools expect in indexed PNGs; `overlay_palette`
is for the eye. Text is drawn with Pillow's embedded Latin font, or with a font of the system that
has all the letters. Where none has (Chinese on a bare server), the legend shows "#3", the index of
the label, under which the JSON beside the picture has the text.

Shapes: H, W height and width in pixels; C labels.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
from jaxtyping import Bool, UInt16
from PIL import Image, ImageDraw, ImageFont

from zeroseg.errors import OutputError
from zeroseg.files import write_bytes_atomically
from zeroseg.segmentation import Segmentation

RGB = tuple[int, int, int]

PAPER: RGB = (250, 250, 247)
INK: RGB = (38, 38, 42)
NO_TINT: RGB = (214, 214, 210)  # the background's swatch: its pixels keep the photo's colours

SMALLEST_SIDE, LARGEST_SIDE = 384, 1600  # of an overlay's longer side
THINNEST_SIDE = 32  # of its shorter side
LEGEND_ROWS = 24
FIRST_COLOUR: RGB = (68, 136, 238)
OVERLAY_COLOURS = 64
SAVED_AS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}
SYSTEM_FONTS = (
    *("DejaVuSans.ttf", "NotoSans-Regular.ttf", "NotoSansCJK-Regular.ttc", "NotoSansArabic-Regular.ttf"),
    *("NotoSansHebrew-Regular.ttf", "NotoSansDevanagari-Regular.ttf", "NotoSansThai-Regular.ttf"),
    *("wqy-microhei.ttc", "Arial Unicode.ttf", "PingFang.ttc", "Arial.ttf", "segoeui.ttf"),
    *("msyh.ttc", "YuGothR.ttc", "malgun.ttf", "Nirmala.ttf"),
)


def palette(count: int) -> list[RGB]:
    """PASCAL VOC's colour map: bits 0, 3, 6, ... of an index fill red from the top, 1, 4, 7 green, 2, 5, 8 blue.

    Index 0 is black; all colours are distinct for up to 2^24 indices.
    """

    def channel(index: int, first: int) -> int:
        return sum((index >> (3 * place + first) & 1) << (7 - place) for place in range(8))

    return [(channel(index, 0), channel(index, 1), channel(index, 2)) for index in range(count)]


@lru_cache
def overlay_palette(count: int) -> tuple[RGB, ...]:
    """Return colours that lie far apart for the eye: any first n of them are well separated.

    Farthest-point sampling in OKLab (https://bottosson.github.io/posts/oklab), where distance is
    close to perceived difference, among colours neither dark, pale, grey nor glaring. After
    `OVERLAY_COLOURS` they repeat: no eye tells more apart in a photo.
    """
    levels = np.linspace(0, 255, 16).round()
    grid = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(-1, 3)
    lab = _oklab(grid)
    chroma = np.hypot(lab[:, 1], lab[:, 2])
    clear = (lab[:, 0] > 0.5) & (lab[:, 0] < 0.86) & (chroma > 0.09) & (chroma < 0.21)
    grid, lab = grid[clear], lab[clear]
    chosen = [int(np.abs(grid - FIRST_COLOUR).sum(axis=1).argmin())]
    nearest = np.full(len(lab), np.inf)
    while len(chosen) < min(count, OVERLAY_COLOURS):
        distance = np.linalg.norm(lab - lab[chosen[-1]], axis=1)
        nearest = np.minimum(nearest, distance.round(6))  # rounded: the same on every machine
        chosen.append(int(nearest.argmax()))
    colours = [cast("RGB", tuple(int(level) for level in grid[index])) for index in chosen]
    return tuple(colours[index % len(colours)] for index in range(count))


def save_image(image: Image.Image, path: str | os.PathLike[str]) -> None:
    """Write a picture as PNG or JPEG by its suffix, whole or not at all.

    Raises:
        OutputError: for another suffix, or when it cannot be written.
    """
    file_format = SAVED_AS.get(Path(path).suffix.lower())
    if file_format is None:
        raise OutputError(f"Cannot write {str(path)!r}: its name must end in {', '.join(SAVED_AS)}.")
    buffer = BytesIO()
    drawn = image.convert("RGB") if file_format == "JPEG" else image
    drawn.save(buffer, format=file_format, quality=92)
    write_bytes_atomically(path, buffer.getvalue())


def save_palette_png(segmentation: Segmentation, path: str | os.PathLike[str]) -> None:
    """Write the class map as a PNG whose pixel values are the label indices.

    Up to 256 labels: an indexed PNG (mode "P") with VOC's palette. More: a 16-bit greyscale PNG
    (mode "I;16"), which looks nearly black but holds every index exactly.

    Raises:
        OutputError: when `path` does not end in .png or cannot be written.
    """
    if Path(path).suffix.lower() != ".png":
        raise OutputError(f"Cannot write {str(path)!r}: a mask's name must end in .png.")
    if len(segmentation.labels) > 256:
        save_image(Image.fromarray(segmentation.class_map), path)
        return
    picture = Image.fromarray(segmentation.class_map.astype(np.uint8)).convert("P")
    picture.putpalette(bytes(level for colour in palette(256) for level in colour))
    save_image(picture, path)


def overlay(image: Image.Image, segmentation: Segmentation, opacity: float = 0.55) -> Image.Image:
    """Tint each label's pixels, draw thin light contours with a dark rim, and add a legend.

    The picture is enlarged or reduced to a longer side of 384 to 1600 pixels and drawn at least 32
    pixels thick (a 20,000 x 20 strip comes out thicker than true). The legend, right of upright
    pictures and below wide ones, lists colour, label and share of the labels that occur, largest
    first, at most 24. Background keeps the photo's colours. A label has the same colour in every
    picture of a vocabulary, unless two labels that occur would share one.

    Args:
        image: the picture, in any mode that converts to RGB.
        segmentation: of the same size.
        opacity: of the tint, 0..1.

    Raises:
        ValueError: when sizes differ or `opacity` is out of range.
    """
    if image.size != segmentation.size:
        raise ValueError(f"the picture is {image.size}, its segmentation {segmentation.size}")
    if not 0 <= opacity <= 1:
        raise ValueError(f"opacity must lie in 0..1, not {opacity}")
    size = _display_size(image.size)
    colours = _colours(segmentation)
    class_map = _sampled(segmentation.class_map, size)
    photo = np.asarray(image.convert("RGB").resize(size, Image.Resampling.BICUBIC), dtype=np.float32)
    tint = np.zeros((len(segmentation.labels), 3), dtype=np.float32)
    strength = np.zeros((len(segmentation.labels), 1), dtype=np.float32)
    for index, colour in colours.items():
        tint[index], strength[index] = colour, opacity
    weight = strength[class_map]
    painted = photo * (1 - weight) + tint[class_map] * weight
    line = _contours(class_map)
    if max(size) > 800:
        line = _grown(line)
    rim = _grown(line) & ~line
    painted[rim] *= 0.45
    painted[line] = painted[line] * 0.1 + 255 * 0.9
    return _with_legend(Image.fromarray(painted.round().astype(np.uint8)), segmentation, colours)


def contact_sheet(
    images: Sequence[Image.Image], columns: int, captions: Sequence[str] | None = None, cell: int = 256
) -> Image.Image:
    """Lay pictures out on a sheet, row by row, each fitted into a `cell` x `cell` square.

    Captions are one line each, below their pictures, cut to the width of the cell.

    Raises:
        ValueError: without pictures or columns, or when captions are not one a picture.
    """
    if not images or columns < 1 or cell < 1:
        raise ValueError("a contact sheet needs pictures, columns and cells of at least one")
    if captions is not None and len(captions) != len(images):
        raise ValueError(f"{len(captions)} captions for {len(images)} pictures")
    gap, text_size = 10, 14
    pitch_y = cell + gap + (0 if captions is None else 2 * text_size)
    columns, rows = min(columns, len(images)), math.ceil(len(images) / columns)
    sheet = Image.new("RGB", (gap + columns * (cell + gap), gap + rows * pitch_y), PAPER)
    pen = ImageDraw.Draw(sheet)
    for index, image in enumerate(images):
        left, top = gap + index % columns * (cell + gap), gap + index // columns * pitch_y
        scale = cell / max(image.size)
        fitted = image.convert("RGB").resize([max(1, round(side * scale)) for side in image.size])
        sheet.paste(fitted, (left + (cell - fitted.width) // 2, top + cell - fitted.height))
        if captions is not None:
            caption, font = _legible(captions[index], f"#{index + 1}", text_size, cell)
            where = (left + cell // 2, top + cell + 4)
            pen.text(where, caption, INK, font, anchor="ma")
    return sheet


# --- pixels -------------------------------------------------------------------------------------


def _oklab(rgb: np.ndarray) -> np.ndarray:
    unit = rgb / 255
    linear = np.where(unit <= 0.04045, unit / 12.92, ((unit + 0.055) / 1.055) ** 2.4)
    to_cones = [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
    to_lab = [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
    return np.cbrt(linear @ np.array(to_cones).T) @ np.array(to_lab).T


def _colours(segmentation: Segmentation) -> dict[int, RGB]:
    """Colour of each label that occurs, background left out; the next free one when its own is taken."""
    painted = [i for i in sorted(segmentation.present_indices) if not (segmentation.has_background and i == 0)]
    choice = overlay_palette(OVERLAY_COLOURS)
    colours: dict[int, RGB] = {}
    taken: set[int] = set()
    for index in painted:
        place = (index - segmentation.has_background) % OVERLAY_COLOURS
        while place in taken:
            place = (place + 1) % OVERLAY_COLOURS
        taken.add(place)
        if len(taken) == OVERLAY_COLOURS:
            taken.clear()
        colours[index] = choice[place]
    return colours


def _display_size(size: tuple[int, int]) -> tuple[int, int]:
    longer = max(size)
    scale = min(math.ceil(SMALLEST_SIDE / longer), LARGEST_SIDE / longer)
    width, height = (max(THINNEST_SIDE, round(side * scale)) for side in size)
    return width, height


def _sampled(class_map: UInt16[np.ndarray, "H W"], size: tuple[int, int]) -> UInt16[np.ndarray, "h w"]:
    """Nearest neighbour: indices cannot be blended."""
    (height, width), (columns, rows) = class_map.shape, size
    ys = ((np.arange(rows) + 0.5) * height / rows).astype(np.intp)
    xs = ((np.arange(columns) + 0.5) * width / columns).astype(np.intp)
    return class_map[ys[:, None], xs]


def _contours(class_map: UInt16[np.ndarray, "H W"]) -> Bool[np.ndarray, "H W"]:
    line = np.zeros(class_map.shape, dtype=bool)
    line[:, 1:] |= class_map[:, 1:] != class_map[:, :-1]
    line[1:] |= class_map[1:] != class_map[:-1]
    return line


def _grown(mask: Bool[np.ndarray, "H W"]) -> Bool[np.ndarray, "H W"]:
    grown = mask.copy()
    grown[1:] |= mask[:-1]
    grown[:-1] |= mask[1:]
    grown[:, 1:] |= mask[:, :-1]
    grown[:, :-1] |= mask[:, 1:]
    return grown


# --- legend and text ----------------------------------------------------------------------------


class _Row(NamedTuple):
    colour: RGB | None  # None: no swatch
    label: str
    share: str
    font: ImageFont.FreeTypeFont


def _with_legend(picture: Image.Image, segmentation: Segmentation, colours: dict[int, RGB]) -> Image.Image:
    text_size = min(28, max(15, max(picture.size) // 45))
    rows = _legend_rows(segmentation, colours, text_size)
    pad, gap, pitch = text_size, 2 * text_size, round(text_size * 1.7)
    label_width = math.ceil(max(row.font.getlength(row.label) for row in rows))
    column = pitch + label_width + 4 * text_size  # swatch, label, share
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
        pen.text((x + column, middle), row.share, INK, _latin_font(text_size), anchor="rm")
    return canvas


def _legend_rows(segmentation: Segmentation, colours: dict[int, RGB], text_size: int) -> list[_Row]:
    present = segmentation.present_indices
    rows: list[_Row] = []
    for index in present[:LEGEND_ROWS]:
        label, font = _legible(segmentation.labels[index], f"#{index}", text_size, 14 * text_size)
        share = float(segmentation.shares[index])
        percent = f"{share:.0%}" if share >= 0.005 else "< 1%"
        rows.append(_Row(colours.get(index, NO_TINT), label, percent, font))
    if len(present) > LEGEND_ROWS:
        rows.append(_Row(None, f"+ {len(present) - LEGEND_ROWS} more", "", _latin_font(text_size)))
    return rows


def _legible(text: str, otherwise: str, size: int, width: int) -> tuple[str, ImageFont.FreeTypeFont]:
    """Return `text` on one line, cut to `width` pixels, with a font that has its letters; else `otherwise`."""
    line = "".join(letter for letter in " ".join(text.split()) if letter.isprintable())[:200]
    font = _font_for(line, size)
    if not line or font is None:
        return otherwise, _latin_font(size)
    if font.getlength(line) <= width:
        return line, font
    kept = next(n for n in range(len(line), -1, -1) if font.getlength(line[:n] + "...") <= width or n == 0)
    return line[:kept].rstrip() + "...", font


@lru_cache
def _latin_font(size: int) -> ImageFont.FreeTypeFont:
    return cast("ImageFont.FreeTypeFont", ImageFont.load_default(size))


@lru_cache(maxsize=4096)
def _font_for(text: str, size: int) -> ImageFont.FreeTypeFont | None:
    if _covers(_latin_font(size), text):
        return _latin_font(size)
    fonts = (ImageFont.truetype(path, size) for path in _system_fonts())
    return next((font for font in fonts if _covers(font, text)), None)


@lru_cache
def _system_fonts() -> tuple[str, ...]:
    """Paths of those `SYSTEM_FONTS` that this machine has; Pillow searches the usual folders."""
    paths: list[str] = []
    for name in SYSTEM_FONTS:
        try:
            paths.append(str(ImageFont.truetype(name).path))
        except OSError:
            continue
    return tuple(paths)


def _covers(font: ImageFont.FreeTypeFont, text: str) -> bool:
    """Whether the font has a glyph for each letter: Pillow has no table of them, so compare pictures."""

    def drawn(letter: str) -> bytes:
        picture = Image.new("L", (3 * int(font.size), 3 * int(font.size)))
        ImageDraw.Draw(picture).text((font.size, font.size), letter, 255, font)
        return picture.tobytes()

    missing = drawn("\ufffe")  # never a character: always the font's "no such glyph" box
    return all(letter.isspace() or drawn(letter) != missing for letter in set(text))
