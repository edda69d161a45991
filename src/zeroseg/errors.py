"""All errors that ZeroSeg raises for bad input, as one tree: `except ZeroSegError` catches all of them.

A message is one sentence for the user: what is wrong, with which file or word, and what to do. The
command line prints it without a traceback. Mistakes of a programmer (a wrong shape, an impossible
argument) raise `ValueError` or `TypeError`.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# Exception
# └── ZeroSegError
#     ├── ImageError
#     ├── TeacherError
#     ├── CacheError
#     ├── WeightsError
#     ├── VocabularyError
#     ├── DatasetError
#     ├── TrainingError
#     ├── OutputError
#     └── ConfigError


class ZeroSegError(Exception):
    """The root: something that the user can correct."""


class ImageError(ZeroSegError):
    """A picture that cannot be found, opened or decoded, or that is too large."""


class TeacherError(ZeroSegError):
    """A teacher that cannot be found or loaded, or whose family is unknown."""


class CacheError(ZeroSegError):
    """A feature cache that is missing or damaged, or that was made with another teacher or other views."""


class WeightsError(ZeroSegError):
    """A model folder whose config or weights are missing or damaged, or belong to another model."""


class VocabularyError(ZeroSegError):
    """Labels that cannot be used, or a label that the vocabulary does not have."""


class DatasetError(ZeroSegError):
    """A data set that is missing or incomplete, or whose layout is not the expected one."""


class TrainingError(ZeroSegError):
    """A training run that cannot start, resume or continue."""


class OutputError(ZeroSegError):
    """A result that cannot be written: full or read-only disk, missing permission."""


class ConfigError(ZeroSegError):
    """A setting that is unknown, of the wrong type or out of range."""


def hint(name: str, names: Iterable[str], form: str = "{!r}") -> str:
    """ " (did you mean 'x'?)" if a name is similar to one of `names` (written in `form`), else an empty text."""
    near = difflib.get_close_matches(name, names, 1, 0.5)
    return f" (did you mean {form.format(near[0])}?)" if near else ""
