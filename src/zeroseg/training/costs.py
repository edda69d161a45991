"""What a distillation run needs, computed from its sizes: operations, hours, memory and disk.

Operations are counted as in `student/cost.py`. Memory is an estimate: what is kept for the backward pass is counted per
transformer layer, the rest (fragments, buffers of the libraries) is one to two GB more.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zeroseg.errors import TeacherError
from zeroseg.models import bundled
from zeroseg.student.config import StudentConfig
from zeroseg.student.cost import convolutional_flops, count_parameters, training_flops, transformer_flops
from zeroseg.teacher.image_tower import read_pixel_settings
from zeroseg.teacher.lite_tower import EfficientNetLiteConfig
from zeroseg.teacher.locked import LockedTeacher
from zeroseg.training.dense_targets import WindowsConfig
from zeroseg.training.distillation import DistillConfig
from zeroseg.training.initialisation import expect_form, form_error
from zeroseg.views import ViewsConfig

HALF, FLOAT = 2, 4  # bytes of a number: in caches, saved weights and activations; in training
MOMENTS = {"adamw": 2, "muon": 1}  # of each parameter in the optimiser; Muon has two for parameters outside matrices
LAYER_BYTES = 34  # kept of a transformer layer for each value of its tokens, in 16 bits (Korthikanti et al. 2022)
LITE = EfficientNetLiteConfig.model_type
CONVOLUTIONAL = "efficientnet_"  # how the forms of EfficientNet-Lites begin
UTILISATION = 0.4  # of a GPU's peak: what training ViTs in 16 bits usually reaches
CORE_FLOPS = 6e10  # a second, of one CPU core with 512-bit vectors: what `photos_small_dense` and its cache reached


@dataclass(frozen=True)
class GPU:
    """A GPU with its peak of bfloat16 matrix products without sparsity, 10^12 operations a second (its maker's)."""

    name: str
    tflops: float

    def hours(self, flops: float) -> float:
        """Hours for so many operations at `UTILISATION`."""
        return flops / (self.tflops * 1e12 * UTILISATION) / 3600


GPUS = (GPU("RTX 4090 (24 GB)", 165.2), GPU("A100", 312.0), GPU("H100 SXM", 989.4))


@dataclass(frozen=True)
class TowerSizes:
    """The sizes of a teacher's vision tower that its cost depends on; `parameters`: of the whole teacher."""

    image_size: int
    patch_size: int
    width: int
    layers: int
    embedding_width: int
    parameters: int
    form: str = "vit"  # or "efficientnet_lite0", "efficientnet_lite1" .., which have layers of their own

    def flops(self, side: int) -> float:
        """Operations for one picture of `side` x `side` pixels, with one embedding."""
        projected = 2 * self.width * self.embedding_width
        if self.form != "vit":
            return convolutional_flops(side, self.form.removeprefix(CONVOLUTIONAL)) + projected
        patches = (side // self.patch_size) ** 2
        embedded = 2 * patches * 3 * self.patch_size**2 * self.width
        return embedded + transformer_flops(patches + 1, self.width, self.layers) + projected


KNOWN = {
    "openai/clip-vit-base-patch16": TowerSizes(224, 16, 768, 12, 512, 149_620_737),
    "openai/clip-vit-large-patch14": TowerSizes(224, 14, 1024, 24, 768, 427_616_513),
    "google/siglip2-base-patch16-224": TowerSizes(224, 16, 768, 12, 768, 375_187_970),
}


def tower_sizes(teacher: str) -> TowerSizes | None:
    """The sizes of a teacher's tower: of a well-known hub model, or of a folder; None for any other one.

    Of LiTs those are known whose tower is an EfficientNet-Lite or has the sizes of a ViT. Nothing is fetched.
    """
    if teacher in KNOWN:
        return KNOWN[teacher]
    model = bundled(teacher)
    folder = Path(teacher) if model is None else model.teacher
    try:
        config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        vision = config["vision_config"]
        locked, lite = config["model_type"] in LockedTeacher.model_types, vision.get("model_type") == LITE
        return TowerSizes(
            image_size=read_pixel_settings(str(folder))[2] if locked else vision["image_size"],
            patch_size=vision["patch_size"],
            width=vision["hidden_size"],
            layers=0 if lite else vision["num_hidden_layers"],
            embedding_width=config["projection_dim"]
            if locked or config["model_type"] == "clip"
            else vision["hidden_size"],
            parameters=(folder / "model.safetensors").stat().st_size // HALF,
            form=CONVOLUTIONAL + vision["variant"] if lite else "vit",
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, TeacherError):
        return None


def cache_bytes(sizes: TowerSizes, views: ViewsConfig) -> int:
    """Bytes of an image's features in a cache."""
    return HALF * len(views.boxes()) * sizes.embedding_width


@dataclass(frozen=True)
class RunCost:
    """What a run needs: operations for one image of a step, of its cache, and in all; bytes."""

    parameters: int
    student_flops: float  # forward and backward, for an image
    window_flops: float  # of the teacher's windows, for an image in every step
    view_flops: float  # of the teacher's views, for an image: once with a cache, else in every step
    cached: bool
    images: int  # the number that the run sees, of which some may be the same
    memory_bytes: float  # of weights, gradients, moments, activations of a micro-batch, and the teacher
    checkpoint_bytes: int
    student_bytes: int
    cache_bytes_an_image: int

    @property
    def flops(self) -> float:
        """Operations of the run, without those of the cache."""
        views = 0.0 if self.cached else self.view_flops
        return self.images * (self.student_flops + self.window_flops + views)


def run_cost(config: DistillConfig, teacher: TowerSizes | None, cached: bool) -> RunCost:
    """The cost of a recipe. `teacher`: its tower; None if it is unknown, and then it counts as nothing."""
    loop, views = config.loop, len(config.views.boxes()) if config.losses.use_views else 0
    parameters = count_parameters(config.student)["total"]
    moments = MOMENTS[loop.optimiser.algorithm]
    seen = -(-loop.batch_size // loop.micro_batches)
    windows = config.windows.count(config.student.image_size) if config.losses.use_windows else 0
    training = (2 + moments) * FLOAT * parameters + seen * activation_bytes(config.student, config.mask_ratio)
    return RunCost(
        parameters=parameters,
        student_flops=training_flops(config.student, config.mask_ratio, config.trainable_blocks),
        window_flops=windows * (_read_flops(config.windows, teacher) if teacher else 0.0),
        view_flops=views * (teacher.flops(teacher.image_size) if teacher else 0.0),
        cached=cached,
        images=loop.steps * loop.batch_size,
        memory_bytes=training + (FLOAT * teacher.parameters if teacher else 0),
        checkpoint_bytes=(1 + moments) * FLOAT * parameters,
        student_bytes=HALF * parameters,
        cache_bytes_an_image=HALF * views * config.student.embedding_width if cached else 0,
    )


def _read_flops(windows: WindowsConfig, teacher: TowerSizes) -> float:
    """Operations for a window in a step: the mean over the scales, of which one is drawn, or all of them."""
    flops = [teacher.flops(round(windows.side * scale)) for scale in windows.scales]
    return sum(flops) / (len(flops) if windows.moved else 1)


def expect_tower(config: DistillConfig, teacher: TowerSizes) -> None:
    """Raise `TrainingError` if a run starts from its teacher's tower, and that has other sizes than its student.

    For a teacher that is not on this machine; of another one the tower itself can be tried.
    """
    student = config.student
    if config.start_from or not config.encoder_from_teacher:
        return
    expect_form(student, teacher.form)
    sizes: dict[str, int | str] = {}
    if student.encoder == "vit":
        sizes = {"width": teacher.width, "patch_size": teacher.patch_size, "positions": "learned"}
    if student.patch_projection != "mlp" or student.layers > teacher.layers:
        sizes["layers"] = teacher.layers
    different = [
        f"{name} is {getattr(student, name)}" for name, size in sizes.items() if getattr(student, name) != size
    ]
    if different:
        raise form_error(different)


def activation_bytes(config: StudentConfig, mask_ratio: float) -> float:
    """What the backward pass of one image needs of its forward pass, in 16 bits: an estimate, by the layers on patches.

    Attention keeps no matrix of all pairs of patches: fused kernels compute it again.
    """
    patches = config.grid**2 * (1 - mask_ratio)
    groups = config.segment_tokens[0] if config.grouping == "groupvit" else 0  # that travel with the patches
    of_head = config.grouping_after[0] + 1  # the grouping's assignment is about another layer
    tokens = patches * config.layers + (patches + groups) * of_head
    decoder = config.decoder_layers * config.grid**2 * config.decoder_width if config.decoder_layers else 0
    return LAYER_BYTES * (tokens * config.width + decoder)
