"""Rows that both scales have: baselines of the teacher, without training."""

from __future__ import annotations

from functools import partial

from zeroseg.baselines import READ_OUT, SlidingWindows, baseline_segmenter
from zeroseg.experiments import ExperimentContext, Variant
from zeroseg.method_names import BaselineName
from zeroseg.segmenter import Segmenter

TRAINING_FREE: dict[BaselineName, str] = {
    "maskclip": "the teacher's patches, values of its last layer",
    "sclip": "... with correlative self-attention",
    "naclip": "... with attention to neighbours",
    "clearclip": "... without residual and feed-forward layer",
    "crops": "4 x 4 crops, each named by the teacher",
    "windows": "sliding windows, each named by the teacher",
    "background": "background everywhere",
    "true-regions": "true regions, named by the teacher",
}


def baseline(name: BaselineName, context: ExperimentContext) -> Segmenter:
    """A baseline with the context's teacher."""
    return baseline_segmenter(name, context.teacher)


def bundled(context: ExperimentContext) -> Segmenter:
    """The bundled student of the picturebook. It uses its own teacher, not the context's."""
    return Segmenter.from_pretrained("picturebook", device=str(context.teacher.device))


def windows(n: int, context: ExperimentContext) -> Segmenter:
    """Sliding windows of one size, an n-th of the picture's shorter side, with the read-out of all baselines."""
    encoder = SlidingWindows(context.teacher, 2 * context.teacher.size, sides=(1 / n,))
    return Segmenter(encoder, context.teacher, READ_OUT)


def windows_of_one_size(*grids: int) -> tuple[Variant, ...]:
    """Further rows for table 3: the teacher without training on views of one scale, at every place."""
    words = "sliding windows of the size of {0}x{0}, each named by the teacher"
    return tuple(
        Variant(f"windows-{n}x{n}", words.format(n), learns_from="nothing", ready=partial(windows, n)) for n in grids
    )


UNTRAINED = tuple(
    Variant(name, words, learns_from="nothing", ready=partial(baseline, name)) for name, words in TRAINING_FREE.items()
)
