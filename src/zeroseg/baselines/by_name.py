"""All baselines by name; each has its own file in this folder."""

from __future__ import annotations

from dataclasses import replace

from zeroseg.baselines.crops import GridCrops
from zeroseg.baselines.dense import DenseReadOut
from zeroseg.baselines.reference import BackgroundOnly, TrueRegions
from zeroseg.baselines.windows import SlidingWindows
from zeroseg.encoding import ImageEncoder
from zeroseg.method_names import BaselineName
from zeroseg.rules import Margin
from zeroseg.segmenter import Segmenter
from zeroseg.student.config import ReadOut
from zeroseg.teacher import Teacher

ITERATIONS = 10  # of refinement
READ_OUT = ReadOut(naming="patches", background=Margin(), refinement=ITERATIONS)


def open_baseline(name: BaselineName, teacher: Teacher) -> ImageEncoder:
    """A baseline with images of twice the teacher's size: 448 pixels for a teacher with 224."""
    side = 2 * teacher.size
    match name:
        case "crops":
            return GridCrops(teacher, side)
        case "windows":
            return SlidingWindows(teacher, side)
        case "background":
            return BackgroundOnly(teacher)
        case "true-regions":
            return TrueRegions(teacher)
        case _:
            return DenseReadOut(teacher, side, name)


def baseline_segmenter(name: BaselineName, teacher: Teacher, refinement: int = ITERATIONS) -> Segmenter:
    """A baseline with the read-out `READ_OUT` (patches, margin rule) and `refinement` iterations of refinement.

    True regions are named by segment and not refined.
    """
    read_out = replace(READ_OUT, refinement=refinement)
    if name == "true-regions":
        read_out = replace(READ_OUT, naming="segments", refinement=0)
    return Segmenter(open_baseline(name, teacher), teacher, read_out)
