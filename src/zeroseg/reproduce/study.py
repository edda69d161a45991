"""The human study (table 2 of the paper): people compare segmentations of our students and of those from captions."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

from zeroseg.errors import TrainingError
from zeroseg.experiments import ExperimentContext
from zeroseg.picturebook import draw_scene
from zeroseg.reproduce.figures import trained
from zeroseg.reproduce.paper_table import Scale
from zeroseg.reproduce.study_package import write_study
from zeroseg.vocabulary import Vocabulary


def prepare_study(
    scale: Scale,
    context: ExperimentContext,
    folder: Path,
    steps: int | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Path:
    """Write the package of a scale's study on held-out scenes; returns its folder.

    The sides are drawn with a random seed, which is only in the key. Raises `OutputError`, and `TrainingError` if one
    of the two students is missing.
    """
    if scale.study is None:
        raise TrainingError(f"there is no study at the scale {scale.name}.")
    rows = scale.study.rows
    found = trained(scale, context, rows, steps)
    if len(found) < len(rows):
        raise TrainingError(f"the study needs the students and records of {' and '.join(rows)}: run table 2.")
    rules = {name: segmenter.read_out.background.without_background() for name, segmenter in found.items()}
    first, second = (found[name].reading(background=rules[name]) for name in rows)
    scenes = ((f"held-out {number}", draw_scene("held-out", number).image) for number in range(scale.study.questions))
    vocabulary = Vocabulary(scale.study.labels, background=())
    return write_study(folder, first, second, rows, scenes, vocabulary, secrets.randbits(32), progress)
