"""Mask supervision of the same student body: the ceiling that human labels would give, and no part of the method.

The embedding of every patch is to be nearest to the words for what the patch shows; so the student is read like any
other.

Letters: B image, P patch, C class, S pixels along a side, D embedding width.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Bool, Float, UInt8
from PIL import Image
from torch import Tensor

from zeroseg.errors import ConfigError
from zeroseg.images import center_square, resize, to_tensor
from zeroseg.precision import full_precision
from zeroseg.student import Student, StudentConfig
from zeroseg.student.encoder import random_keep, take
from zeroseg.teacher import Teacher
from zeroseg.training.initialisation import start_from_teacher
from zeroseg.training.loop import Batch, Figures, LoopConfig, train, without_loop
from zeroseg.training.sampling import mirror, mirrored, numbers_of

IGNORED = 255


@dataclass(frozen=True)
class MaskSupervisionConfig:
    """A student with a patch head that learns from true masks, and how."""

    student: StudentConfig = field(default_factory=lambda: StudentConfig(decoder_layers=0, patch_head=True))
    mask_ratio: float = 0.0
    """Share of the patches that the encoder does not see in training."""
    flips: bool = False
    """Mirror half of the images, and their masks with them."""
    encoder_from_teacher: bool = False
    """Start the encoder from the teacher's own vision tower."""
    loop: LoopConfig = field(default_factory=LoopConfig)

    def __post_init__(self) -> None:
        if not 0 <= self.mask_ratio < 1:
            raise ConfigError(f"the mask ratio must lie in 0 .. 1 (1 excluded), not be {self.mask_ratio}.")
        if not self.student.patch_head:
            raise ConfigError("mask supervision needs a student with patch_head.")


@runtime_checkable
class Labelled(Protocol):
    """Images with the true class of every pixel, by number."""

    def __len__(self) -> int: ...

    def labelled(self, number: int) -> tuple[Image.Image, UInt8[np.ndarray, "H W"]]:
        """An RGB image, and class ids of its size; 255 counts for nothing."""
        ...


@dataclass
class MaskBatch(Batch):
    """Square images (0..255) and the class ids of their pixels, some to be mirrored."""

    images: UInt8[Tensor, "B 3 S S"]
    truth: UInt8[Tensor, "B S S"]
    mirrored: Bool[Tensor, " B"]


class MaskSupervision:
    """The loss of a batch: cross-entropy between the classes in a patch and the nearest words to its embedding."""

    def __init__(self, student: Student, words: Float[Tensor, "C D"], scale: float, config: MaskSupervisionConfig):
        self.student, self.words, self.scale, self.config = student, F.normalize(words, dim=-1), scale, config

    def __call__(self, batch: MaskBatch, generator: torch.Generator) -> tuple[Tensor, Figures]:
        """The loss, and the share of patches whose largest class is named."""
        images = mirror(batch.images.float() / 255, batch.mirrored)
        shares = class_shares(mirror(batch.truth, batch.mirrored), self.config.student.patch_size, len(self.words))
        keep = random_keep(len(images), self.config.student.grid**2, self.config.mask_ratio, generator)
        patches = self.student(images, keep, generator).patches
        with full_precision(images.device):
            shares = take(shares, keep)
            logits = self.scale * F.normalize(patches, dim=-1) @ self.words.T
            loss = -(shares * logits.log_softmax(dim=-1)).sum() / shares.sum().clamp(min=1)
        counted = shares.sum(dim=-1) > 0
        right = (logits.argmax(dim=-1) == shares.argmax(dim=-1))[counted].float().mean()
        return loss, {"accuracy": float(right)}


def class_shares(truth: UInt8[Tensor, "B S S"], patch_size: int, classes: int) -> Float[Tensor, "B P C"]:
    """The share of each patch that every class fills; ignored pixels belong to none."""
    pixels = rearrange(truth, "b (h y) (w x) -> b (h w) (y x)", y=patch_size, x=patch_size).long()
    found = torch.zeros(*pixels.shape[:2], IGNORED + 1, device=truth.device)
    found.scatter_add_(2, pixels, torch.ones_like(pixels, dtype=torch.float))
    return found[..., :classes] / patch_size**2


def supervise_with_masks(
    source: Labelled,
    words: Float[Tensor, "C D"],
    config: MaskSupervisionConfig,
    run: Path,
    name: str,
    teacher: Teacher,
    evaluate: Callable[[Student], Figures] | None = None,
    resume: bool = False,
    quiet: bool = False,
) -> Student | None:
    """Train a student on images with masks; it is saved in `run / "student"`. None when the run was interrupted.

    `words` are the teacher's embeddings of the classes, `name` tells the source apart. Raises `TrainingError`.
    """
    torch.manual_seed(config.loop.seed)
    config = replace(config, student=replace(config.student, embedding_width=teacher.width))
    student = Student(config.student)
    if config.encoder_from_teacher:
        start_from_teacher(student, teacher)
    student.to(teacher.device)
    loop, side = config.loop, config.student.image_size

    def make_batch(step: int) -> MaskBatch:
        numbers = numbers_of(step, loop.batch_size, len(source), loop.seed)
        squares = [square(*source.labelled(number), side) for number in numbers]
        return MaskBatch(
            torch.stack([image for image, _ in squares]),
            torch.stack([truth for _, truth in squares]),
            mirrored(step, loop.batch_size, loop.seed) & config.flips,
            names=[str(number) for number in numbers],
        )

    finished = train(
        student,
        make_batch,
        MaskSupervision(student, words.to(teacher.device), teacher.logit_scale, config),
        loop,
        run,
        "masks",
        {"mask_supervision": without_loop(config), "source": name, "images": len(source)},
        evaluate=(lambda: evaluate(student.eval())) if evaluate is not None else None,
        resume=resume,
        quiet=quiet,
    )
    if not finished:
        return None
    student.eval().save_pretrained(run / "student")
    return student


def square(
    image: Image.Image, truth: UInt8[np.ndarray, "H W"], side: int
) -> tuple[UInt8[Tensor, "3 S S"], UInt8[Tensor, "S S"]]:
    """The centre square of an image and of its class ids, resized: no id is invented between two others."""
    pixels = (resize(to_tensor(center_square(image)), (side, side)) * 255).round().to(torch.uint8)
    ids = center_square(Image.fromarray(truth)).resize((side, side), Image.Resampling.NEAREST)
    return pixels, torch.from_numpy(np.asarray(ids).copy())
