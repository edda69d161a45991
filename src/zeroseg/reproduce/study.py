"""Table 2 of the paper, prepared: people are to choose between what our students and those of captions see."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

from zeroseg.errors import TrainingError
from zeroseg.experiments import Laboratory
from zeroseg.picturebook import ALL_NOUNS, STUFF_NAMES, draw_scene
from zeroseg.reproduce.figures import trained
from zeroseg.reproduce.paper_table import Scale
from zeroseg.reproduce.study_package import write_study
from zeroseg.vocabulary import Vocabulary

QUESTIONS = 200  # as in the paper
RIVALS = ("ours", "captions-segments")


def prepare_study(
    scale: Scale,
    lab: Laboratory,
    folder: Path,
    steps: int | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Path:
    """Write the package of the study on held-out scenes, all 54 names asked for at once.

    The sides are drawn from a seed that nobody can guess; it stands in the key. Raises `OutputError`, and
    `TrainingError` where one of the two students is missing.
    """
    segmenters = trained(scale, lab, RIVALS, steps)
    if len(segmenters) < len(RIVALS):
        raise TrainingError(f"the study needs the students and records of {' and '.join(RIVALS)}: run table 2.")
    first, second = (segmenters[name].reading(background="none") for name in RIVALS)
    scenes = ((f"held-out {number}", draw_scene("held-out", number).image) for number in range(QUESTIONS))
    vocabulary = Vocabulary((*ALL_NOUNS, *STUFF_NAMES), background=())
    return write_study(folder, first, second, RIVALS, scenes, vocabulary, secrets.randbits(32), progress)
