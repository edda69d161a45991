"""Rows that learn nothing: read-outs of the teacher itself, and the student that ships with the package."""

from __future__ import annotations

from zeroseg.baselines import Yardstick, yardstick_segmenter
from zeroseg.experiments import Laboratory
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
