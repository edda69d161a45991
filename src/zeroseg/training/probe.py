"""A probe without labels: how well a student's map of held-out images agrees with its teacher's.

The teacher's map is what the recipe's dense losses aim at: its dense read-out averaged over windows, or the mean of the
views that show a patch. Agreement is not accuracy, since the teacher errs, too; but a student that forgets shows in it,
and no label is needed.

Letters: B image, P patch, D embedding width, W word, S pixels along a side.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from zeroseg.encoding import WordEmbedder
from zeroseg.errors import ImageError, TrainingError
from zeroseg.feature_cache import embed_views
from zeroseg.images import PathList, resize
from zeroseg.losses import cosine_distance, mean_views
from zeroseg.squares import square_of_file
from zeroseg.student import Student, StudentOutput
from zeroseg.teacher import Teacher
from zeroseg.training.dense_targets import DenseTargets
from zeroseg.training.distillation import DistillConfig
from zeroseg.training.loop import Metrics
from zeroseg.views import patch_relevance
from zeroseg.vocabulary import TEMPLATES

CHOSEN_BY = "probe_words"  # the metric by which the best student is kept
AT_ONCE = 8  # images
WORDS = (
    "person", "face", "hand", "dog", "cat", "horse", "cow", "sheep", "bird", "fish", "flower", "tree", "leaf", "grass",
    "fruit", "bread", "plate", "cup", "bottle", "table", "chair", "bed", "sofa", "book", "paper", "screen", "lamp",
    "window", "door", "wall", "floor", "ceiling", "house", "tower", "bridge", "street", "sign", "car", "bus", "train",
    "bicycle", "boat", "aeroplane", "sky", "cloud", "sea", "river", "sand", "rock", "mountain", "snow", "fire", "toy",
    "ball", "shoe", "shirt", "hat", "bag", "clock", "tool",
)  # fmt: skip
"""Words of photos, things and stuff: the student should give a patch the one that its teacher gives it."""


def expect_enough(images: int, held_out: int) -> None:
    """Raise `TrainingError` if a probe would hold out all images."""
    if held_out >= images:
        raise TrainingError(
            f"the probe holds out {held_out} images, and there are {images}: give more images, or a smaller --probe."
        )


def held_out(images: Sequence[Path], count: int, seed: int) -> tuple[PathList, PathList]:
    """The images to train on, and `count` others for the probe, drawn by the seed.

    Raises `TrainingError` if none would be left to train on.
    """
    expect_enough(len(images), count)
    every, is_held = PathList.of(images), np.zeros(len(images), bool)
    is_held[np.random.default_rng([seed, 11]).permutation(len(images))[:count]] = True
    return every.take(np.flatnonzero(~is_held)), every.take(np.flatnonzero(is_held))


class Probe:
    """Compares students with the teacher's map of some images, which it computes once."""

    def __init__(self, images: Sequence[Path], teacher: Teacher, config: DistillConfig) -> None:
        """Raises `TrainingError` if none of the images can be read."""
        self.config, self.squares = config, _readable_squares(images, config.student.image_size)
        self.words = F.normalize(WordEmbedder(teacher)(WORDS, TEMPLATES), dim=-1)
        self.maps = [self._map(teacher, some.to(teacher.device).float() / 255).half() for some in self._batches()]

    @torch.no_grad()
    def __call__(self, student: Student) -> Metrics:
        """`probe_cosine`: mean cosine of patches with their targets, both without the targets' mean, -1..1.
        `probe_words`: the fraction of the patches whose most similar word is the teacher's, 0..1.
        """
        cosines, equal, device = 0.0, 0.0, student.target_mean.device
        for some, theirs in zip(self._batches(), self.maps, strict=True):
            theirs = theirs.to(device).float()
            ours = patch_map(student(some.to(device).float() / 255))
            centred = (theirs - student.target_mean) / student.target_scale
            cosines += float(1 - cosine_distance(ours, centred)) * len(some)
            same = self._named(student.in_teacher_space(ours)) == self._named(theirs)
            equal += float(same.float().mean()) * len(some)
        return {"probe_cosine": cosines / len(self.squares), CHOSEN_BY: equal / len(self.squares)}

    def _batches(self) -> Sequence[Tensor]:
        return self.squares.split(AT_ONCE)

    def _named(self, embeddings: Float[Tensor, "B P D"]) -> Int[Tensor, "B P"]:
        return (F.normalize(embeddings, dim=-1) @ self.words.to(embeddings).T).argmax(dim=-1)

    @torch.no_grad()
    def _map(self, teacher: Teacher, images: Float[Tensor, "B 3 S S"]) -> Float[Tensor, "B P D"]:
        config, grid = self.config, self.config.student.grid
        if config.losses.use_windows:
            return DenseTargets(teacher, config.windows, grid)(images)
        side = config.views.side
        squares = resize(images, (side, side)) if images.shape[-1] != side else images
        views = F.normalize(embed_views(teacher, config.views, squares), dim=-1)
        return mean_views(patch_relevance(config.views, grid, config.focus).expand(len(views), -1, -1), views)


def patch_map(output: StudentOutput) -> Float[Tensor, "B P D"]:
    """A student's embedding of each patch; without a patch head, that of its segment."""
    if output.patches is not None:
        return output.patches
    segment = output.masks.argmax(dim=1)[:, :, None]
    return output.segments.gather(1, segment.expand(-1, -1, output.segments.shape[-1]))


def _readable_squares(images: Sequence[Path], side: int) -> Tensor:
    squares: list[Tensor] = []
    for path in images:
        with contextlib.suppress(ImageError):
            squares.append(square_of_file(path, side))
    if not squares:
        raise TrainingError("none of the images that the probe holds out can be read: give others.")
    return torch.stack(squares)
