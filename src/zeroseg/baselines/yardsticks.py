"""All yardsticks by name; each has a file of its own beside this one."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from zeroseg.baselines.crops import GridCrops
from zeroseg.baselines.dense import DenseReadOut
from zeroseg.baselines.oracle import Nothing, TrueRegions
from zeroseg.baselines.windows import SlidingWindows
from zeroseg.segmenter import ImageEncoder, Segmenter
from zeroseg.student.config import ReadOut
from zeroseg.teacher import Teacher

Yardstick = Literal["maskclip", "sclip", "naclip", "clearclip", "crops", "windows", "background", "oracle"]
READ_OUT = ReadOut(naming="patches", background="margin")


def open_yardstick(name: Yardstick, teacher: Teacher) -> ImageEncoder:
    """A yardstick that sees images at twice the teacher's own size: 448 pixels for one that reads 224."""
    side = 2 * teacher.size
    match name:
        case "crops":
            return GridCrops(teacher, side)
        case "windows":
            return SlidingWindows(teacher, side)
        case "background":
            return Nothing(teacher)
        case "oracle":
            return TrueRegions(teacher)
        case _:
            return DenseReadOut(teacher, side, name)


def yardstick_segmenter(name: Yardstick, teacher: Teacher, refinement: int = 0) -> Segmenter:
    """A yardstick under `READ_OUT` (one embedding a cell, margin rule), with so many rounds of refinement.

    The oracle's regions are true: they are named as segments, and not refined.
    """
    read_out = replace(READ_OUT, refinement=refinement)
    if name == "oracle":
        read_out = replace(READ_OUT, naming="segments", refinement=0)
    return Segmenter(open_yardstick(name, teacher), teacher, read_out)
