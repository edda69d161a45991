"""How fast things are, each beside its floor in the same process: the least that it could take.

A machine is never quiet, so seconds mean little. What is measured and its floor take turns, and each round gives one
ratio; the median of the ratios, with their quartiles, is the figure.
"""

from zeroseg.bench.measuring import Figure, Pair, measured
from zeroseg.bench.parts import PARTS, figures_of
from zeroseg.bench.setting import MODELS, Setting
from zeroseg.bench.targets import TARGETS, Target

__all__ = ["MODELS", "PARTS", "TARGETS", "Figure", "Pair", "Setting", "Target", "figures_of", "measured"]
