"""What we compare with: read-outs of the teacher itself, under `READ_OUT` (one embedding a cell, margin rule)."""

from zeroseg.baselines.crops import GridCrops
from zeroseg.baselines.dense import DenseReadOut
from zeroseg.baselines.oracle import Nothing, TrueRegions
from zeroseg.baselines.windows import SlidingWindows
from zeroseg.baselines.yardsticks import READ_OUT, Yardstick, open_yardstick, yardstick_segmenter

__all__ = [
    "READ_OUT", "DenseReadOut", "GridCrops", "Nothing", "SlidingWindows", "TrueRegions", "Yardstick",
    "open_yardstick", "yardstick_segmenter",
]  # fmt: skip
