"""Rows that both scales have: read-outs of the teacher itself, which learn nothing, and mask ratios."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from zeroseg.baselines import READ_OUT, SlidingWindows, Yardstick, yardstick_segmenter
from zeroseg.experiments import Laboratory, Variant, changes
from zeroseg.segmenter import Segmenter

ROUNDS = 10  # of refinement, as in our recipe
TRAINING_FREE: dict[Yardstick, str] = {
    "maskclip": "the teacher's patches, values of its last layer",
    "sclip": "... with correlative self-attention",
    "naclip": "... with attention to neighbours",
    "clearclip": "... without residual and feed-forward layer",
    "crops": "4 x 4 crops, each named by the teacher",
    "windows": "sliding windows, each named by the teacher",
    "background": "background everywhere",
    "oracle": "true regions, named by the teacher",
}


def yardstick(name: Yardstick, lab: Laboratory) -> Segmenter:
    """A method without training, from the laboratory's teacher."""
    return yardstick_segmenter(name, lab.teacher, ROUNDS)


def bundled(lab: Laboratory) -> Segmenter:
    """The student that ships with the package. It speaks to its own teacher, whatever the laboratory's is."""
    return Segmenter.from_pretrained(device=str(lab.teacher.device))


def windows(n: int, lab: Laboratory) -> Segmenter:
    """Sliding windows of one size, an n-th of the picture, read as all yardsticks are."""
    encoder = SlidingWindows(lab.teacher, 2 * lab.teacher.size, sides=(1 / n,))
    return Segmenter(encoder, lab.teacher, replace(READ_OUT, refinement=ROUNDS))


def windows_of_one_size(*grids: int) -> tuple[Variant, ...]:
    """Rows beside table 3: what the teacher itself knows of views of one scale, at every place."""
    words = "windows of the size of {0}x{0}, sliding, each named by the teacher"
    return tuple(
        Variant(f"windows-{n}x{n}", words.format(n), learns_from="nothing", ready=partial(windows, n)) for n in grids
    )


UNTRAINED = tuple(
    Variant(name, words, learns_from="nothing", ready=partial(yardstick, name)) for name, words in TRAINING_FREE.items()
)


def dropped(*ratios: int) -> tuple[Variant, ...]:
    """Rows of table 5; ratios in per cent."""
    return tuple(Variant(f"mask-{r}", f"{r} % dropped", changes.settings(mask_ratio=r / 100)) for r in ratios)
