"""What we compare with: read-outs of the teacher itself, under `READ_OUT` (one embedding a cell, margin rule)."""

from zeroseg.baselines.crops import GridCrops
from zeroseg.baselines.maskclip import MaskCLIP
from zeroseg.student.config import ReadOut

READ_OUT = ReadOut(naming="patches", background="margin")

__all__ = ["READ_OUT", "GridCrops", "MaskCLIP"]
