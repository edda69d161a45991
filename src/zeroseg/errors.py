"""Everything that ZeroSeg refuses, as one tree: catch `ZeroSegError` and you have caught them all.

A message is one sentence for the person at the keyboard: what went wrong, with which file or word,
and what to do about it. The command line prints it as it is and shows no traceback. Mistakes of a
programmer (a wrong shape, an impossible argument) stay `ValueError` and `TypeError`.
"""

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
    """The root: something that the user can put right."""


class ImageError(ZeroSegError):
    """A picture that cannot be found, opened or decoded, or that is too large."""


class TeacherError(ZeroSegError):
    """A teacher that cannot be found or loaded, or that is of no family we know."""


class CacheError(ZeroSegError):
    """A feature cache that is missing, damaged, or made with another teacher or other views."""


class WeightsError(ZeroSegError):
    """A model folder whose config or weights are missing, damaged or another model's."""


class VocabularyError(ZeroSegError):
    """Labels that cannot be used, or a label that is not in the vocabulary."""


class DatasetError(ZeroSegError):
    """A data set that is missing, incomplete or not laid out as expected."""


class TrainingError(ZeroSegError):
    """A training run that cannot start, resume or go on."""


class OutputError(ZeroSegError):
    """A result that cannot be written: full or read-only disk, missing permission."""


class ConfigError(ZeroSegError):
    """A setting that is unknown, of the wrong type or out of range."""
