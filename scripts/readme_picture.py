"""Draw the pictures of the README: shipped photos and held-out scenes with their segmentations and legends.

python scripts/readme_picture.py             docs/images/photos.jpg, with the bundled model for photos
python scripts/readme_picture.py --scenes    docs/images/overlays.jpg, with the one for the picturebook

To look at more: --count 8 --out all.jpg. Pictures of your own: --folder FOLDER --out FILE, with a list of them as in
src/zeroseg/pictures/photos/pictures.json. Another model: --model NAME; a teacher without training: --method naclip too.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import numpy as np
from PIL import Image

from zeroseg import Segmentation, Segmenter
from zeroseg.baselines import baseline_segmenter
from zeroseg.demo.pictures import PHOTOS, pictures_in
from zeroseg.drawing import colours_by_name, overlay, save_image
from zeroseg.drawing.palettes import RGB
from zeroseg.images import load_image
from zeroseg.picturebook import VOC_NOUNS, draw_scene, nouns_named
from zeroseg.teacher import Teacher
from zeroseg.vocabulary import parse_labels

WIDTH, GAP = 400, 12  # pixels
PHOTO_COUNT, SCENE_COUNT = 6, 4  # the first ones, not the best ones
IMAGES = Path(__file__).parents[1] / "docs" / "images"


@dataclass(frozen=True)
class Cell:
    """A picture and the labels to find in it."""

    image: Image.Image
    labels: tuple[str, ...]


def main() -> None:
    """Draw photos above their overlays, three in a row; scenes left of theirs, two in a row."""
    chosen = _arguments()
    cells = _scenes(chosen.count) if chosen.scenes else _listed(chosen.folder, chosen.count)
    segmenter = _segmenter(chosen)
    colours = colours_by_name(cell.labels for cell in cells)
    pairs = [_pair(cell, segmenter, colours) for cell in cells]
    if chosen.scenes:
        lines = [[image for pair in pairs[start : start + 2] for image in pair] for start in range(0, len(pairs), 2)]
    else:
        lines = [line for start in range(0, len(pairs), 3) for line in zip(*pairs[start : start + 3], strict=True)]
    save_image(_table(lines), chosen.out)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", action="store_true", help="scenes of the picturebook in place of photos")
    parser.add_argument("--folder", type=Path, default=PHOTOS)
    parser.add_argument("--model", help="a student, or with --method a teacher")
    parser.add_argument("--method", default="student")
    parser.add_argument("--count", type=int)
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    chosen.count = chosen.count or (SCENE_COUNT if chosen.scenes else PHOTO_COUNT)
    chosen.out = chosen.out or IMAGES / ("overlays.jpg" if chosen.scenes else "photos.jpg")
    return chosen


def _segmenter(chosen: argparse.Namespace) -> Segmenter:
    """The chosen model, without specks, as `zeroseg segment` and the demo show it."""
    model = chosen.model or ("picturebook" if chosen.scenes else "photos")
    if chosen.method == "student":
        made = Segmenter.from_pretrained(model)
    else:
        made = baseline_segmenter(chosen.method, Teacher.from_pretrained(model))
    return Segmenter(made.encoder, made.teacher, made.read_out.without_specks(), made.words)


def _scenes(count: int) -> list[Cell]:
    scenes = [draw_scene("held-out", number, nouns_named(VOC_NOUNS), side=2 * WIDTH) for number in range(count)]
    return [Cell(scene.image, VOC_NOUNS) for scene in scenes]


def _listed(folder: Path, count: int) -> list[Cell]:
    return [Cell(load_image(one.path), parse_labels(one.labels)) for one in pictures_in(folder)[:count]]


def _pair(cell: Cell, segmenter: Segmenter, colours: dict[str, RGB]) -> tuple[Image.Image, Image.Image]:
    """The picture and its overlay, `WIDTH` pixels wide: the whole picture is segmented, then made smaller."""
    found = segmenter(cell.image, cell.labels)
    size = (WIDTH, round(cell.image.height * WIDTH / cell.image.width))
    ids = np.asarray(Image.fromarray(found.class_map).resize(size, Image.Resampling.NEAREST))
    small = Segmentation(found.labels, ids, np.zeros(len(found.labels)), found.has_background)
    image = cell.image.resize(size, Image.Resampling.LANCZOS)
    return image, overlay(image, small, colours=colours)


def _table(lines: Sequence[Sequence[Image.Image]]) -> Image.Image:
    """Lines of images, in columns as wide as their widest image."""
    widths = [max(image.width for image in column if image) + GAP for column in zip_longest(*lines)]
    heights = [max(image.height for image in line) + GAP for line in lines]
    sheet = Image.new("RGB", (sum(widths) - GAP, sum(heights) - GAP), "white")
    for row, line in enumerate(lines):
        for column, image in enumerate(line):
            sheet.paste(image, (sum(widths[:column]), sum(heights[:row])))
    return sheet


if __name__ == "__main__":
    main()
