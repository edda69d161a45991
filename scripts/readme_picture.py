"""Draw the README's picture: held-out scenes as they are, and as the bundled student segments them by words.

python scripts/readme_picture.py  writes docs/images/overlays.png
"""

from pathlib import Path

from PIL import Image

from zeroseg import Segmenter
from zeroseg.drawing import overlay, save_image
from zeroseg.picturebook import VOC_NOUNS, draw_scene, nouns_named

SCENES = range(4)  # the first ones, not the best ones
SIDE = 288
HEIGHT = 420  # room for the legend
OUT = Path(__file__).parents[1] / "docs" / "images" / "overlays.png"


def main() -> None:
    """One column a scene: the drawing above, the overlay with its legend below."""
    segmenter = Segmenter.from_pretrained()
    sheet = Image.new("RGB", (len(SCENES) * (SIDE + 12) - 12, SIDE + 12 + HEIGHT), "white")
    for column, number in enumerate(SCENES):
        picture = draw_scene("held-out", number, nouns_named(VOC_NOUNS), side=2 * SIDE).image
        painted = overlay(picture, segmenter(picture, VOC_NOUNS))
        painted = painted.resize((SIDE, round(painted.height * SIDE / painted.width)), Image.Resampling.LANCZOS)
        sheet.paste(picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS), (column * (SIDE + 12), 0))
        sheet.paste(painted.crop((0, 0, SIDE, HEIGHT)), (column * (SIDE + 12), SIDE + 12))
    save_image(sheet, OUT)


if __name__ == "__main__":
    main()
