"""Baselines: methods that use the teacher without training, with the read-out `READ_OUT` (patches, margin rule)."""

from zeroseg.baselines.by_name import ITERATIONS, READ_OUT, baseline_segmenter, open_baseline
from zeroseg.baselines.crops import GridCrops
from zeroseg.baselines.dense import DenseReadOut
from zeroseg.baselines.reference import BackgroundOnly, TrueRegions
from zeroseg.baselines.windows import SlidingWindows
from zeroseg.method_names import BaselineName

__all__ = [
    "ITERATIONS", "READ_OUT", "BackgroundOnly", "BaselineName", "DenseReadOut", "GridCrops", "SlidingWindows",
    "TrueRegions", "baseline_segmenter", "open_baseline",
]  # fmt: skip
