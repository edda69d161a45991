"""What we compare with: read-outs of the teacher itself."""

from zeroseg.baselines.crops import GridCrops
from zeroseg.baselines.maskclip import MaskCLIP

__all__ = ["GridCrops", "MaskCLIP"]
