"""ZeroSeg: segment your own images by naming things, with no human labels at all.

import zeroseg
segmentation = zeroseg.Segmenter.from_pretrained()("photo.jpg", labels=["dog", "grass"])
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from zeroseg.versions import ZEROSEG

if TYPE_CHECKING:
    from zeroseg.errors import ZeroSegError
    from zeroseg.feature_cache import FeatureCache
    from zeroseg.segmentation import Segmentation
    from zeroseg.segmenter import Segmenter
    from zeroseg.student import Student, StudentConfig
    from zeroseg.teacher import Teacher
    from zeroseg.training.distill import distill
    from zeroseg.vocabulary import Vocabulary

__version__ = ZEROSEG
__all__ = [
    "FeatureCache",
    "Segmentation",
    "Segmenter",
    "Student",
    "StudentConfig",
    "Teacher",
    "Vocabulary",
    "ZeroSegError",
    "distill",
]

_HOMES = {
    "FeatureCache": "zeroseg.feature_cache",
    "Segmentation": "zeroseg.segmentation",
    "Segmenter": "zeroseg.segmenter",
    "Student": "zeroseg.student",
    "StudentConfig": "zeroseg.student",
    "Teacher": "zeroseg.teacher",
    "Vocabulary": "zeroseg.vocabulary",
    "ZeroSegError": "zeroseg.errors",
    "distill": "zeroseg.training.distill",
}


def __getattr__(name: str) -> object:
    """Load a public name when it is first used: `import zeroseg` alone stays fast."""
    if name not in _HOMES:
        raise AttributeError(f"module 'zeroseg' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
