"""Unlabelled scenes without empty views: in every view of the paper's grids, things fill a twentieth or more.

python scripts/full_scenes.py FOLDER [COUNT]

One scene in ten is such a scene. Their numbers come after those of the recipes' training scenes.
"""

import sys
from pathlib import Path

import numpy as np

from zeroseg.picturebook import Scene, Thing, draw_scene
from zeroseg.views import ViewsConfig

FIRST = 14336  # scenes with smaller numbers are the recipes' training scenes
LEAST = 0.05
BOXES = ViewsConfig(side=96).boxes()


def is_full(scene: Scene) -> bool:
    """Whether things fill at least a twentieth of every view."""
    shown = np.array([isinstance(content, Thing) for content in scene.contents])[scene.instances]
    return all(shown[top:bottom, left:right].mean() >= LEAST for left, top, right, bottom in BOXES)


def main() -> None:
    """Draw scenes until there are enough."""
    folder, count = Path(sys.argv[1]), int([*sys.argv[2:], "4096"][0])
    folder.mkdir(parents=True, exist_ok=True)
    number, found = FIRST, 0
    while found < count:
        scene = draw_scene("unlabelled", number)
        if is_full(scene):
            scene.image.save(folder / f"unlabelled-{number:06d}.png")
            found += 1
        number += 1
    print(f"{found} of {number - FIRST} scenes written to {folder}")


if __name__ == "__main__":
    main()
