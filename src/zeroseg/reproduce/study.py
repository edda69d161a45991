"""The human study (table 2 of the paper): people compare segmentations of our students and of those from captions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PIL import Image

from zeroseg.errors import TrainingError
from zeroseg.experiments import ExperimentContext
from zeroseg.picturebook import draw_scene
from zeroseg.reproduce.figures import trained
from zeroseg.reproduce.paper_table import Scale
from zeroseg.study import Photo, sources_of_models, write_study
from zeroseg.vocabulary import Vocabulary


def prepare_study(
    scale: Scale,
    context: ExperimentContext,
    folder: Path,
    steps: int | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Path:
    """Write a scale's study on held-out scenes, for `zeroseg study`; returns its folder.

    Everything is drawn with a random seed, which is only in the key. A study that was stopped goes on. Raises
    `OutputError`, and `TrainingError` if one of the two students is missing.
    """
    if scale.study is None:
        raise TrainingError(f"there is no study at the scale {scale.name}.")
    rows = scale.study.rows
    found = trained(scale, context, rows, steps)
    if len(found) < len(rows):
        raise TrainingError(f"the study needs the students and records of {' and '.join(rows)}: run table 2.")
    scenes = [Photo(f"held-out {number}", partial(_scene, number)) for number in range(scale.study.questions)]
    vocabulary = Vocabulary(scale.study.labels, background=())
    sources = sources_of_models({row: found[row] for row in rows}, vocabulary, scenes, background=False)
    return write_study(folder, sources, len(scenes), seed=None, progress=progress, resume=True)


def _scene(number: int) -> Image.Image:
    return draw_scene("held-out", number).image
