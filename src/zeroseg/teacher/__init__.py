"""The teacher: a frozen model that embeds images and texts in one space. Each family of models has its own file.

To add a family, write a file here with a subclass of `Teacher` that names its `model_types`, and import it in
`families`. A segmenter with a student uses the text tower alone, and loads no family for it (`clip_text`): names are
loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from zeroseg.teacher.text_tower import TextTower

if TYPE_CHECKING:
    from zeroseg.teacher.clip_text import ClipText, load_text_tower
    from zeroseg.teacher.families import (
        Attend,
        ClipTeacher,
        LastAttention,
        LockedTeacher,
        SiglipTeacher,
        Teacher,
        TextEncoder,
        VisionTower,
    )

__all__ = [
    "Attend", "ClipTeacher", "ClipText", "LastAttention", "LockedTeacher", "SiglipTeacher", "Teacher", "TextEncoder",
    "TextTower", "VisionTower", "load_text_tower",
]  # fmt: skip

_LIGHT = ("ClipText", "load_text_tower")


def __getattr__(name: str) -> object:
    """A public name, when it is first used."""
    if name not in __all__:
        raise AttributeError(f"module 'zeroseg.teacher' has no attribute {name!r}")
    return getattr(import_module(f"zeroseg.teacher.{'clip_text' if name in _LIGHT else 'families'}"), name)
