"""What the figures should be: each target in words, with its number, and why a figure may miss it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """A target of the page.

    `most`: the largest ratio of what is measured and its floor; `within`: the most seconds; one of both. `missed`: why
    a figure may be above it, a sentence; empty if nothing is known.
    """

    words: str
    most: float | None = None
    within: float | None = None
    missed: str = ""


SMALL = (
    "What is done for each pixel of the class map takes as long for any network, and the network of `photos` takes "
    "little time. The target is for ViT-B/16."
)
SAME_CORES = "Without a GPU, photos are read, resized and written by the cores on which the network runs."

WHOLE = Target(
    "`segment()` of one photo: at most 1.1 times the bare forward pass (ViT-B/16, 448 pixels, 20 labels)",
    most=1.1, missed=SMALL,
)  # fmt: skip
REFINED = Target("the same with refinement: at most 1.25 times", most=1.25, missed=SMALL)
AGAIN = Target(
    "a second vocabulary for the same picture: at most 2 % of the first pass", most=0.02,
    missed="A class for every pixel of the picture is made anew for every vocabulary, whatever the network costs.",
)  # fmt: skip
MANY = Target("1,000 labels: at most 1.3 times the time of 20", most=1.3, missed=SMALL)
FLAT = Target("1,000 labels: memory stays flat, the peak at most 1.1 times that of 20", most=1.1)
KEPT = Target("text embeddings of a vocabulary are kept on disk between runs, and read faster than made", most=1.0)
FOLDER = Target(
    "a folder of 200 photos: at least 95 % of the bare encoder's rate (measured with fewer, see `--count`)",
    most=1 / 0.95, missed=SAME_CORES,
)  # fmt: skip
CACHE = Target(
    "a cache of views: at least 90 % of the rate of the bare teacher", most=1 / 0.9,
    missed=SAME_CORES,
)  # fmt: skip
STEP = Target(
    "a training step: within 10 % of what its operations take at the bare encoder's rate", most=1.1,
    missed="Losses, optimiser and backward pass, all of which count, do fewer operations a second than a forward pass.",
)  # fmt: skip
LOADER = Target(
    "the loader: batches at least 5 times as fast as a step needs them", most=1 / 5,
    missed="One worker is measured; `--loop.workers` sets how many there are.",
)  # fmt: skip
HELP = Target("`zeroseg --help`: less than .3 s", within=0.3)
FIRST = Target("the first mask from a cold start with a bundled model: less than 3 s", within=3.0)
TWO = Target("two processes at once on this machine: at most 10 times as long as one", most=10.0)

TARGETS = (WHOLE, REFINED, AGAIN, MANY, FLAT, KEPT, FOLDER, CACHE, STEP, LOADER, HELP, FIRST, TWO)
"""In the order of the page."""
