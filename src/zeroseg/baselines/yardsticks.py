"""All yardsticks by name; each has a file of its own beside this one."""

from __future__ import annotations

from typing import Literal

from zeroseg.baselines.crops import GridCrops
from zeroseg.baselines.dense import DenseCLIP
from zeroseg.baselines.windows import SlidingWindows
from zeroseg.segmenter import ImageEncoder
from zeroseg.teacher import Teacher

Yardstick = Literal["maskclip", "sclip", "naclip", "clearclip", "crops", "windows"]


def open_yardstick(name: Yardstick, teacher: Teacher) -> ImageEncoder:
    """A yardstick that sees images at twice the teacher's own size: 448 pixels for a CLIP that reads 224."""
    side = 2 * teacher.size
    match name:
        case "crops":
            return GridCrops(teacher, side)
        case "windows":
            return SlidingWindows(teacher, side)
        case _:
            return DenseCLIP(teacher, side, name)
