"""The pictures of a question: a photo, and two segmentations of it in the same colours.

Shapes: H, W height and width in pixels.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from random import Random

import numpy as np
from PIL import Image

from zeroseg.drawing import display_size, hexadecimal, overlay, overlay_palette
from zeroseg.drawing.palettes import RGB
from zeroseg.errors import DatasetError
from zeroseg.segmentation import Segmentation, percentage
from zeroseg.study.plausibility import LEAST_AREA
from zeroseg.study.questions import NO_LABEL, UNTINTED, Legend, LegendRow

LARGEST_SIDE = 1024  # pixels of a picture's longer side: larger ones are slow to load on a phone
CELLS = 12  # a scrambled segmentation has CELLS x CELLS cells
MOST_WRONG = 12  # labels of a scrambled segmentation: more are too many for a legend
FEWEST_WRONG = 4  # where the better side has only one: scrambled alone, it would stay as it is
Pair = tuple[Segmentation, Segmentation]


def draw_pair(image: Image.Image, pair: Pair) -> tuple[Image.Image, tuple[Image.Image, Image.Image]]:
    """The photo, and two overlays of its size, in which a label has the same colour."""
    shown = _fitted(image.size)
    small = image if shown == image.size else image.resize(shown, Image.Resampling.LANCZOS)
    colours = _colours_of_both(pair)
    left, right = (overlay(small, _resized(one, shown), colours=colours, legend=False) for one in pair)
    return small.resize(display_size(small.size), Image.Resampling.LANCZOS), (left, right)


def legends(pair: Pair) -> tuple[Legend, Legend]:
    """The legends of both sides: the labels that occur, largest first."""
    colours = _colours_of_both(pair)
    left, right = (_legend(one, colours) for one in pair)
    return left, right


def scrambled(segmentation: Segmentation, used: Collection[str], seed: int) -> Segmentation:
    """The worse side of an attention check: the labels of the better one, thrown into a fine grid.

    The grid cuts across all that is in the picture, and cells side by side have different labels, each about equally
    often. They are the `segmentation`'s own, those that can be seen, `MOST_WRONG` of them: so whatever a model has
    called the picture, the grid names nothing better, and has it in no place. Where that is only one label, others are
    added, first those that are not `used` by any model, up to `FEWEST_WRONG`.
    Raises `DatasetError` if there is only one label to choose from.
    """
    draw, labels = Random(seed), segmentation.labels
    if len(labels) < 2:
        raise DatasetError("attention checks need two labels or more: name more of them, or ask without checks.")
    fractions = segmentation.fractions
    chosen = [index for index in segmentation.present_indices if fractions[index] >= LEAST_AREA][:MOST_WRONG]
    if len(chosen) < 2:
        others = [index for index in draw.sample(range(len(labels)), len(labels)) if index not in chosen]
        others.sort(key=lambda index: labels[index] in used)
        chosen += others[: FEWEST_WRONG - len(chosen)]
    height, width = segmentation.class_map.shape
    rows, columns = (np.arange(side) * CELLS // side for side in (height, width))
    return _plain(segmentation, np.array(_cells(chosen, draw))[rows[:, None], columns[None, :]])


def _cells(labels: Sequence[int], draw: Random) -> list[list[int]]:
    """A grid of labels, all about equally often; those of neighbours differ if there are three or more."""
    drawn, cells = Counter[int](), list[list[int]]()
    for row in range(CELLS):
        cells.append([])
        for column in range(CELLS):
            near = {*cells[row][-1:], *([cells[row - 1][column]] if row else [])}
            free = [label for label in labels if label not in near] or list(labels)
            fewest = min(drawn[label] for label in free)
            cells[row].append(draw.choice([label for label in free if drawn[label] <= fewest + 1]))
            drawn[cells[row][-1]] += 1
    return cells


def _fitted(size: tuple[int, int]) -> tuple[int, int]:
    """A width and height of at most `LARGEST_SIDE`, of the same shape."""
    scale = min(1.0, LARGEST_SIDE / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _resized(segmentation: Segmentation, size: tuple[int, int]) -> Segmentation:
    """A segmentation at another width and height; each pixel has the label of the nearest one."""
    if segmentation.size == size:
        return segmentation
    (height, width), (columns, rows) = segmentation.class_map.shape, size
    ys, xs = np.arange(rows) * height // rows, np.arange(columns) * width // columns
    return _plain(segmentation, segmentation.class_map[ys[:, None], xs[None, :]])


def _plain(segmentation: Segmentation, class_map: np.ndarray) -> Segmentation:
    """Other areas for the same labels, without scores."""
    return Segmentation(segmentation.labels, class_map, np.zeros(len(segmentation.labels)), segmentation.has_background)


def _colours_of_both(pair: Pair) -> dict[str, RGB]:
    """A colour for each label that occurs on a side; the first colours of the palette are for the largest areas."""
    areas: dict[str, float] = defaultdict(float)
    for segmentation in pair:
        for index in segmentation.present_indices:
            if index or not segmentation.has_background:
                areas[segmentation.labels[index]] += float(segmentation.fractions[index])
    largest_first = sorted(areas, key=lambda label: (-areas[label], label))
    return dict(zip(largest_first, overlay_palette(len(largest_first)), strict=True))


def _legend(segmentation: Segmentation, colours: dict[str, RGB]) -> Legend:
    """The labels that occur, largest first; the background, which has no tint, as what it means."""
    rows: list[tuple[float, str, str]] = []
    for index in segmentation.present_indices:
        label, none = segmentation.labels[index], not index and segmentation.has_background
        name, colour = (NO_LABEL, UNTINTED) if none else (label, hexadecimal(colours[label]))
        rows.append((float(segmentation.fractions[index]), name, colour))
    rows.sort(key=lambda row: (-row[0], row[1]))
    return tuple(LegendRow(label, colour, percentage(fraction)) for fraction, label, colour in rows)
