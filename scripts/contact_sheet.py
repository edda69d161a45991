"""Draw every noun of the given modules many times on one sheet: python scripts/contact_sheet.py creatures out.png."""

import inspect
import sys
from importlib import import_module
from random import Random

from PIL import Image, ImageDraw

from zeroseg.picturebook.palette import COLOURS
from zeroseg.picturebook.pen import Page, Pen, Pose

COLUMNS, SIDE = 10, 384  # 10 examples a noun; drawn at 4x of 96 px, then shown at 96 px

module = import_module(f"zeroseg.picturebook.nouns.{sys.argv[1]}")
nouns = [
    (n, f)
    for n, f in inspect.getmembers(module, inspect.isfunction)
    if f.__module__ == module.__name__ and not n.startswith("_")
]
sheet = Image.new("RGB", (COLUMNS * 100 + 90, len(nouns) * 100), "white")
for row, (name, draw) in enumerate(nouns):
    ImageDraw.Draw(sheet).text((4, row * 100 + 40), name, fill="black")
    for column in range(COLUMNS):
        random = Random(row * 100 + column)
        page = Page(SIDE)
        page.image.paste((188, 214, 170), (0, 0, SIDE, SIDE))
        half = SIDE * random.uniform(0.30, 0.47) if column < 6 else SIDE * 0.18  # the last four at small size
        pose = Pose(
            SIDE / 2,
            SIDE / 2,
            half * random.uniform(0.85, 1.15),
            half,
            random.uniform(-0.3, 0.3),
            random.random() < 0.5,
        )
        draw(Pen(page, row + 1, COLOURS[column % 10].rgb, COLOURS[(column + 3) % 10].rgb, pose, random))
        sheet.paste(page.image.resize((96, 96), Image.Resampling.BOX), (90 + column * 100, row * 100 + 2))
sheet.save(sys.argv[2])
