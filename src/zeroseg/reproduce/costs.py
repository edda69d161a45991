"""Table 7: the cost of training, in operations computed from the sizes, and in measured time.

Operations are counted as in `student/cost.py`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import torch
from transformers import CLIPModel

from zeroseg.experiments import Experiment
from zeroseg.student.cost import BACKWARD, count_parameters, training_flops, transformer_flops
from zeroseg.teacher.clip import CLIP
from zeroseg.training.distillation import DistillConfig

BYTES = 2  # of a number in the cache and in saved weights: float16
FLOAT = 4  # bytes of a number in a checkpoint
MOMENTS = {"adamw": 2, "muon": 1}  # of each parameter in the optimiser; Muon has two for parameters outside matrices


@dataclass(frozen=True)
class TeacherSizes:
    """The sizes of a CLIP that its cost depends on."""

    image_size: int
    patch_size: int
    width: int
    layers: int
    text_tokens: int
    text_width: int
    text_layers: int
    embedding_width: int
    parameters: int

    @classmethod
    def of(cls, config: CLIP) -> TeacherSizes:
        """The sizes in the `CLIPConfig` of a teacher."""
        vision, text = config.vision_config, config.text_config
        with torch.device("meta"):
            parameters = sum(parameter.numel() for parameter in CLIPModel(config).parameters())
        return cls(
            vision.image_size,
            vision.patch_size,
            vision.hidden_size,
            vision.num_hidden_layers,
            text.max_position_embeddings,
            text.hidden_size,
            text.num_hidden_layers,
            config.projection_dim,
            parameters,
        )


CLIP_VIT_L14 = TeacherSizes(224, 14, 1024, 24, 77, 768, 12, 768, 427_616_513)  # the paper's teacher


def view_flops(teacher: TeacherSizes) -> float:
    """Operations of the teacher for one view."""
    patches = (teacher.image_size // teacher.patch_size) ** 2
    pixels = 3 * teacher.patch_size**2
    embedded = 2 * patches * pixels * teacher.width + 2 * teacher.width * teacher.embedding_width
    return embedded + transformer_flops(patches + 1, teacher.width, teacher.layers)


def caption_flops(teacher: TeacherSizes) -> float:
    """Operations of the text encoder for one caption, padded to the encoder's full length: an upper limit.

    In training, texts are padded to the longest one of their batch.
    """
    embedded = 2 * teacher.text_width * teacher.embedding_width
    return embedded + transformer_flops(teacher.text_tokens, teacher.text_width, teacher.text_layers)


def step_flops(config: DistillConfig, captions: int, teacher: TeacherSizes) -> float:
    """Operations of a training step for one image: of the student, and of a text encoder that is trained with it.

    `captions`: the number of texts for an image; 0 for distillation, whose targets are cached.
    """
    own = training_flops(config.student, config.mask_ratio, config.trainable_blocks)
    return own + (1 + BACKWARD) * captions * caption_flops(teacher)


@dataclass(frozen=True)
class Budget:
    """The cost of a run. The cache (`views` of each of its images) is made once for all runs on the same images."""

    images: int
    steps: int
    samples: int
    training_flops: float
    views: int
    cache_flops: float
    cache_bytes: int
    parameters: int  # of the student, and of the CLIP that is trained with it
    moments: int

    @property
    def student_bytes(self) -> int:
        """Bytes of a finished run on disk: the student, and the CLIP whose text encoder was trained with it."""
        return BYTES * self.parameters

    @property
    def checkpoint_bytes(self) -> int:
        """Bytes of the checkpoint during the run: weights and the optimiser's moments, all in full precision."""
        return (1 + self.moments) * FLOAT * self.parameters

    def hours(self, tflops: float) -> float:
        """Hours of training, at `tflops` 10^12 operations a second."""
        return self.training_flops / tflops / 1e12 / 3600

    def cache_hours(self, tflops: float) -> float:
        """Hours of the teacher to make the cache, at `tflops` 10^12 operations a second."""
        return self.cache_flops / tflops / 1e12 / 3600


def budget(config: DistillConfig, images: int, teacher: TeacherSizes, captions: int = 0) -> Budget:
    """The budget of a run on `images` images; a run on `captions` uses no cache."""
    seen = min(images, config.first_images or images)
    views = 0 if captions else len(config.views.boxes())
    samples = config.loop.steps * config.loop.batch_size
    return Budget(
        images=seen,
        steps=config.loop.steps,
        samples=samples,
        training_flops=samples * step_flops(config, captions, teacher),
        views=views,
        cache_flops=seen * views * view_flops(teacher),
        cache_bytes=seen * views * teacher.embedding_width * BYTES,
        parameters=count_parameters(config.student)["total"] + (teacher.parameters if captions else 0),
        moments=MOMENTS[config.loop.optimiser.algorithm],
    )


def run_budgets(
    experiment: Experiment, rows: Collection[str], images: int, teacher: TeacherSizes, steps: int | None = None
) -> dict[str, Budget]:
    """The budgets of an experiment's rows, of one run each; rows without training have none."""
    recipe = experiment.recipe()
    recipe = replace(recipe, loop=replace(recipe.loop, steps=steps or recipe.loop.steps))
    return {
        variant.name: budget(experiment.config(variant, recipe, 0), images, teacher, variant.texts)
        for variant in experiment.variants
        if variant.name in rows and variant.ready is None
    }
