"""Mask supervision of the same student body: an upper bound from human labels, not a part of the method.

The embedding of every patch is trained to be nearest to the word for the class of the patch, so the student is read
like any other.

Letters: B image, P patch, C class, S pixels along a side, D embedding width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Bool, Float, Int, UInt8
from PIL import Image
from torch import Tensor

from zeroseg.errors import ConfigError
from zeroseg.images import resize, to_tensor
from zeroseg.precision import full_precision
from zeroseg.squares import center_square
from zeroseg.student import Student, StudentConfig
from zeroseg.student.encoder import gather, random_keep
from zeroseg.teacher import Teacher
from zeroseg.training.batch import Batch
from zeroseg.training.initialisation import start_from_teacher
from zeroseg.training.loop import LoopConfig, Loss, Metrics, without_loop
from zeroseg.training.sampling import flipped, hflip, numbers_of
from zeroseg.training.student_training import check_mask_ratio, student_of, train_student, training_device

IGNORED = 255


@dataclass(frozen=True)
class MaskSupervisionConfig:
    """A student with a patch head that is trained on true masks, and its training."""

    student: StudentConfig = field(default_factory=lambda: StudentConfig(decoder_layers=0, patch_head=True))
    mask_ratio: float = 0.0
    """Fraction of the patches that the encoder does not see in training."""
    flips: bool = False
    """Flip half of the images horizontally, together with their masks."""
    encoder_from_teacher: bool = False
    """Start the encoder from the teacher's own vision tower."""
    loop: LoopConfig = field(default_factory=LoopConfig)

    def __post_init__(self) -> None:
        check_mask_ratio(self.mask_ratio)
        if not self.student.patch_head:
            raise ConfigError("mask supervision needs a student with patch_head.")


@runtime_checkable
class Labelled(Protocol):
    """Images with the true class of every pixel, by number."""

    def __len__(self) -> int: ...

    def labelled(self, number: int) -> tuple[Image.Image, UInt8[np.ndarray, "H W"]]:
        """An RGB image, and its class ids; pixels with 255 are ignored. Raises `ImageError`."""
        ...


@dataclass
class MaskBatch(Batch):
    """Square images (0..255), the class ids of their pixels (255: ignored), and which images are to be flipped."""

    images: UInt8[Tensor, "B 3 S S"]
    truth: UInt8[Tensor, "B S S"]
    flipped: Bool[Tensor, " B"]


class MaskSupervision:
    """The objective: cross-entropy between the classes in a patch and the similarities of its embedding with words."""

    title = "masks"

    def __init__(
        self,
        student: Student,
        config: MaskSupervisionConfig,
        source: Labelled,
        name: str,
        words: Float[Tensor, "C D"],
        scale: float,
    ) -> None:
        """`words`: the teacher's embeddings of the classes; `scale`: its factor on cosines; `name`: the source's."""
        self.student = self.model = student
        self.config, self.loop = config, config.loop
        self.source, self.name = source, name
        self.words, self.scale = F.normalize(words, dim=-1), scale

    @property
    def settings(self) -> Metrics:
        """The config, and the source's name and size."""
        return {"mask_supervision": without_loop(self.config), "source": self.name, "images": len(self.source)}

    def batch(self, step: int) -> MaskBatch:
        """The batch of step 0, 1, 2 ... (`training.sampling`)."""
        size, seed = self.loop.batch_size, self.loop.seed
        numbers = numbers_of(step, size, len(self.source), seed)
        squares = [square(*self.source.labelled(number), self.config.student.image_size) for number in numbers]
        return MaskBatch(
            torch.stack([image for image, _ in squares]),
            torch.stack([truth for _, truth in squares]),
            flipped(step, size, seed) & self.config.flips,
            names=[str(number) for number in numbers],
        )

    def losses(self, batch: MaskBatch, _progress: float, generator: torch.Generator) -> Iterator[Loss]:
        """The loss of every micro-batch: they add up to the loss of the batch.

        The weight of a patch is the fraction of it that has a class; the mean is over the whole batch.
        """
        keep = random_keep(len(batch.images), self.config.student.grid**2, self.config.mask_ratio, generator)
        kept = keep.tensor_split(self.loop.micro_batches)
        parts = batch.split(len(kept))
        truths = [self._fractions(part, some) for part, some in zip(parts, kept, strict=True)]
        area = torch.stack([truth.sum() for truth in truths]).sum().clamp(min=1)
        patches = torch.stack([_has_class(truth).sum() for truth in truths]).sum()
        for part, some, truth in zip(parts, kept, truths, strict=True):
            yield self._loss(part, some, truth, area, patches, generator)

    def _loss(
        self,
        batch: MaskBatch,
        keep: Int[Tensor, "B K"],
        truth: Float[Tensor, "B K C"],
        area: Float[Tensor, ""],
        patches: Int[Tensor, ""],
        generator: torch.Generator,
    ) -> Loss:
        """The sum over a micro-batch, divided by the `area` of the whole batch; its accuracy, over all `patches`."""
        images = hflip(batch.images.float() / 255, batch.flipped)
        embeddings = self.student(images, keep, generator).patches
        with full_precision(images.device):
            logits = self.scale * F.normalize(embeddings, dim=-1) @ self.words.T
            loss = -(truth * logits.log_softmax(dim=-1)).sum() / area
        named = logits.detach()

        def accuracy() -> dict[str, Tensor]:
            right = named.argmax(dim=-1) == truth.argmax(dim=-1)
            return {"accuracy": (right & _has_class(truth)).sum() / patches}

        return Loss(loss, {}, accuracy)

    def _fractions(self, batch: MaskBatch, keep: Int[Tensor, "B K"]) -> Float[Tensor, "B K C"]:
        """The fraction of each kept patch that every class fills, 0..1."""
        truth = hflip(batch.truth, batch.flipped)
        return gather(class_fractions(truth, self.config.student.patch_size, len(self.words)), keep)


def _has_class(truth: Float[Tensor, "B K C"]) -> Bool[Tensor, "B K"]:
    """The patches in which some pixels have a class."""
    return truth.sum(dim=-1) > 0


def class_fractions(truth: UInt8[Tensor, "B S S"], patch_size: int, classes: int) -> Float[Tensor, "B P C"]:
    """The fraction of each patch that every class fills, 0..1; ignored pixels belong to no class."""
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
    evaluate: Callable[[Student], Metrics] | None = None,
    resume: bool = False,
    quiet: bool = False,
) -> Student | None:
    """Train a student on images with masks and save it in `run / "student"`. None if the run was interrupted.

    `words` are the teacher's embeddings of the classes; `name` identifies the source: a run cannot be resumed with
    another one. Raises `TrainingError`.
    """
    torch.manual_seed(config.loop.seed)
    config = replace(config, student=replace(config.student, embedding_width=teacher.width))
    student = student_of(config.student, teacher)
    if config.encoder_from_teacher:
        start_from_teacher(student, teacher)
    device = training_device(teacher)
    objective = MaskSupervision(student.to(device), config, source, name, words.to(device), teacher.logit_scale)
    return train_student(objective, run, evaluate, resume, quiet)


def square(
    image: Image.Image, truth: UInt8[np.ndarray, "H W"], side: int
) -> tuple[UInt8[Tensor, "3 S S"], UInt8[Tensor, "S S"]]:
    """The centre square of an image and of its class ids, resized; ids are never interpolated."""
    pixels = (resize(to_tensor(center_square(image)), (side, side)) * 255).round().to(torch.uint8)
    ids = center_square(Image.fromarray(truth)).resize((side, side), Image.Resampling.NEAREST)
    return pixels, torch.from_numpy(np.asarray(ids).copy())
