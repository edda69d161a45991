"""What we compare with: read-outs of the teacher itself, under `READ_OUT` (one embedding a cell, margin rule)."""

from zeroseg.baselines.crops import GridCrops
from zeroseg.baselines.dense import DenseCLIP
from zeroseg.baselines.windows import SlidingWindows
from zeroseg.baselines.yardsticks import Yardstick, open_yardstick
from zeroseg.student.config import ReadOut

READ_OUT = ReadOut(naming="patches", background="margin")

__all__ = ["READ_OUT", "DenseCLIP", "GridCrops", "SlidingWindows", "Yardstick", "open_yardstick"]
