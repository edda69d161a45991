"""Draw the README's picture: held-out scenes, and their segmentations by the bundled student.

python scripts/readme_picture.py             writes docs/images/overlays.jpg
python scripts/readme_picture.py 24 all.jpg  draws the first 24 scenes, to look at
"""

import sys
from pathlib import Path

from PIL import Image

from zeroseg import Segmenter
from zeroseg.drawing import overlay, save_image
from zeroseg.picturebook import VOC_NOUNS, draw_scene, nouns_named

SCENES = 4  # the first ones, not the best ones
SIDE, GAP, COLUMNS = 300, 12, 2
OUT = Path(__file__).parents[1] / "docs" / "images" / "overlays.jpg"


def main() -> None:
    """Draw two scenes in a row: each scene next to its overlay with a legend."""
    scenes, out = (int(sys.argv[1]), Path(sys.argv[2])) if len(sys.argv) > 2 else (SCENES, OUT)
    segmenter = Segmenter.from_pretrained()
    cells = [_cell(segmenter, number) for number in range(scenes)]
    width, rows = max(cell.width for cell in cells), -(-len(cells) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * (width + GAP) - GAP, rows * (SIDE + GAP) - GAP), "white")
    for place, cell in enumerate(cells):
        sheet.paste(cell, (place % COLUMNS * (width + GAP), place // COLUMNS * (SIDE + GAP)))
    save_image(sheet, out)


def _cell(segmenter: Segmenter, number: int) -> Image.Image:
    picture = draw_scene("held-out", number, nouns_named(VOC_NOUNS), side=2 * SIDE).image
    painted = overlay(picture, segmenter(picture, VOC_NOUNS))
    painted = painted.resize((round(painted.width * SIDE / painted.height), SIDE), Image.Resampling.LANCZOS)
    cell = Image.new("RGB", (SIDE + GAP + painted.width, SIDE), "white")
    cell.paste(picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS), (0, 0))
    cell.paste(painted, (SIDE + GAP, 0))
    return cell


if __name__ == "__main__":
    main()
