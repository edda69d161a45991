"""Distilling a teacher's cached views into a student: the data, the loss, the run.

Letters: B image, V view, D embedding width, P patch, K kept patch, X pixel values of a patch,
S pixels along a side.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from zeroseg import losses
from zeroseg.errors import ConfigError, ImageError, TrainingError
from zeroseg.feature_cache import FeatureCache, image_key, read_square
from zeroseg.images import resize
from zeroseg.precision import full_precision
from zeroseg.student import Student, StudentConfig, StudentOutput
from zeroseg.student.encoder import random_keep
from zeroseg.student.model import patch_pixels
from zeroseg.teacher import Teacher
from zeroseg.training import instruments
from zeroseg.training.initialisation import start_from_student, start_from_teacher
from zeroseg.training.loop import Batch, Figures, LoopConfig, train, without_loop
from zeroseg.training.sampling import mirror, mirrored, numbers_of
from zeroseg.views import ViewsConfig, mirror_order, patch_coverage, patch_relevance


@dataclass(frozen=True)
class LossWeights:
    """The weight of each loss; 0 leaves it out.

    The paper names the first three and gives no weights. With every distance a mean over dimensions (not a sum)
    they are of one order, so 1 each is our reading of it.
    """

    reconstruction: float = 1.0
    distillation: float = 1.0
    matching: float = 1.0
    overlap: float = 0.0
    patch_view: float = 0.0
    dense: float = 0.0

    def __post_init__(self) -> None:
        """Raises `ConfigError` for a weight below 0."""
        for name, weight in vars(self).items():
            if not weight >= 0:
                raise ConfigError(f"the weight of the loss {name} must be 0 or more, not {weight:g}.")


RECONSTRUCTION = LossWeights(reconstruction=1.0, distillation=0.0, matching=0.0)


@dataclass(frozen=True)
class DistillConfig:
    """A whole recipe: student, views, targets, losses, loop. The defaults are the paper's at ViT-B/16."""

    student: StudentConfig = field(default_factory=StudentConfig)
    views: ViewsConfig = field(default_factory=ViewsConfig)
    losses: LossWeights = field(default_factory=LossWeights)
    multi_scale: bool = True
    """Distil all views into the global token, not the whole image alone (the base of the paper's table 4)."""
    first_images: int = 0
    """Learn from so many images, the first ones; 0: from all."""
    mask_ratio: float = 0.6
    """Share of the patches that the encoder does not see in training."""
    flips: bool = False
    """Mirror half of the images, and their views with them."""
    normalise: bool = True
    """Scale targets to length 1: the paper is silent, but L1 between raw embeddings would weigh views by length."""
    centre: bool = False
    """Take the mean of all targets out and scale the rest to a root mean square of 1; the weights carry both."""
    focus: float = 0.0
    """How much more a view counts in the dense targets of the patches in its middle (`views.patch_relevance`)."""
    encoder_from_teacher: bool = False
    """Start the encoder from the teacher's own vision tower."""
    start_from: str = ""
    """Start from this student whole (a folder, a hub name, "bundled"), not from chance or the teacher's tower."""
    pretraining: float = 0.0
    """The share of the run, at its beginning, that reconstruction has for itself: MAE pretraining of the encoder."""
    loop: LoopConfig = field(default_factory=LoopConfig)

    def __post_init__(self) -> None:
        weights = self.losses
        if not 0 <= self.mask_ratio < 1:
            raise ConfigError(f"the mask ratio must lie in 0 .. 1 (1 excluded), not be {self.mask_ratio}.")
        if (weights.patch_view or weights.dense or weights.overlap) and not self.student.patch_head:
            raise ConfigError("overlap, patch-view and dense matching need a student with patch_head.")
        if weights.matching and not any(self.views.is_local()):
            raise ConfigError("segment matching needs local views: add a grid beside 1x1, or set its weight to 0.")
        if weights.distillation and not self.multi_scale and all(self.views.is_local()):
            raise ConfigError("distilling the whole image alone needs it among the views: add the grid 1x1.")
        if self.first_images < 0:
            raise ConfigError(f"first_images must be 0 or more, not {self.first_images}.")
        if not any(asdict(weights).values()):
            raise ConfigError("every loss has weight 0: there is nothing to learn.")
        if self.focus < 0:
            raise ConfigError(f"focus must be 0 or more, not {self.focus}.")
        if not 0 <= self.pretraining < 1:
            raise ConfigError(f"pretraining must be a share of the run, 0 .. 1 (1 excluded), not {self.pretraining}.")
        if (weights.reconstruction or self.pretraining) and not self.student.decoder_layers:
            raise ConfigError("reconstruction needs a student with decoder_layers.")


@dataclass
class ViewBatch(Batch):
    """Square images (0..255), their views' embeddings as cached, and which are to be mirrored."""

    images: UInt8[Tensor, "B 3 S S"]
    features: Float[Tensor, "B V D"]
    mirrored: Bool[Tensor, " B"]
    progress: float = 0.0  # the share of the run that lies behind it


class ViewData:
    """Images and their cached features, in an order that depends on seed and epoch alone."""

    def __init__(self, images: Sequence[Path], cache: FeatureCache, config: DistillConfig) -> None:
        """Keeps the images that the cache holds, warns of the others. Raises `TrainingError` if there are none."""
        self.cache, self._config = cache, config
        keyed = [(path, _key_of(path)) for path in images]
        known = [(path, key) for path, key in keyed if key in cache]
        left_out = len(images) - len(known)
        self.images = known[: config.first_images or None]
        if not known:
            raise TrainingError(
                f"the cache {cache.folder} holds none of the {len(images)} images: run `zeroseg cache` on them first."
            )
        if left_out:
            logging.getLogger(__name__).warning(
                "%d of %d images are not in the cache %s and are left out", left_out, len(images), cache.folder
            )

    def batch(self, step: int) -> ViewBatch:
        """The batch of step 0, 1, 2 ... (`training.sampling`)."""
        loop = self._config.loop
        chosen = [self.images[n] for n in numbers_of(step, loop.batch_size, len(self.images), loop.seed)]
        return ViewBatch(
            torch.stack([self._square(path) for path, _ in chosen]),
            torch.stack([self.cache[key] for _, key in chosen]),
            mirrored(step, loop.batch_size, loop.seed) & self._config.flips,
            progress=step / loop.steps,
            names=[path.name for path, _ in chosen],
        )

    def _square(self, path: Path) -> UInt8[Tensor, "3 S S"]:
        return read_square(path.read_bytes(), self._config.student.image_size)


def _key_of(path: Path) -> str:
    try:
        return image_key(path.read_bytes())
    except OSError as error:
        raise ImageError(f"{path} cannot be read ({error.strerror}): remove it from the images.") from error


class Distillation:
    """The loss of a batch, with the figures that are logged."""

    def __init__(self, student: Student, config: DistillConfig) -> None:
        self.student, self.config = student, config
        device = student.target_mean.device
        self.mirror = mirror_order(config.views).to(device)
        self.local = torch.tensor(config.views.is_local(), device=device)
        self.coverage = patch_coverage(config.views, config.student.grid).to(device)
        self.relevance = patch_relevance(config.views, config.student.grid, config.focus).to(device)

    def __call__(self, batch: ViewBatch, generator: torch.Generator) -> tuple[Tensor, Figures]:
        """Weighted sum of the losses in use, and each of them."""
        config = self.config
        weights = config.losses if batch.progress >= config.pretraining else RECONSTRUCTION
        images, views = self._mirrored(batch)
        views = self.targets(views)
        keep = random_keep(len(images), config.student.grid**2, config.mask_ratio, generator)
        output = self.student(images, keep, generator)
        rebuilt = self.student.reconstruct(output.tokens, keep) if weights.reconstruction else None
        with full_precision(images.device):
            parts = self._parts(weights, images, views, keep, output, rebuilt)
            loss = torch.stack([getattr(weights, name) * part for name, part in parts.items()]).sum()
            with torch.no_grad():
                figures = instruments.read(output.segments, output.masks, views[:, self.local])
        return loss, {name: float(part.detach()) for name, part in parts.items()} | figures

    def targets(self, features: Float[Tensor, "B V D"]) -> Float[Tensor, "B V D"]:
        """Cached embeddings as the student is to predict them."""
        if self.config.normalise:
            features = F.normalize(features, dim=-1)
        return (features - self.student.target_mean) / self.student.target_scale

    def _mirrored(self, batch: ViewBatch) -> tuple[Float[Tensor, "B 3 S S"], Float[Tensor, "B V D"]]:
        images = batch.images.float() / 255
        size = self.config.student.image_size
        images = resize(images, (size, size)) if images.shape[-1] != size else images
        features = torch.where(batch.mirrored[:, None, None], batch.features[:, self.mirror], batch.features)
        return mirror(images, batch.mirrored), features

    def _parts(
        self,
        weights: LossWeights,
        images: Float[Tensor, "B 3 S S"],
        views: Float[Tensor, "B V D"],
        keep: Int[Tensor, "B K"],
        output: StudentOutput,
        rebuilt: Float[Tensor, "B P X"] | None,
    ) -> dict[str, Tensor]:
        parts = dict[str, Tensor]()
        coverage = self.coverage[keep]  # B K V
        if rebuilt is not None:
            pixels = patch_pixels(images, self.config.student.patch_size)
            dropped = torch.ones(pixels.shape[:2], dtype=torch.bool, device=pixels.device).scatter(1, keep, False)
            parts["reconstruction"] = losses.reconstruction(rebuilt, pixels, dropped)
        if weights.distillation:
            parts["distillation"] = losses.multi_scale_distillation(
                output.image, views if self.config.multi_scale else views[:, ~self.local]
            )
        if weights.matching:
            parts["matching"] = losses.segment_matching(output.segments, views[:, self.local])
        if output.patches is not None and output.salience is not None:
            salience = output.salience
            if weights.overlap:
                parts["overlap"] = losses.overlap_matching(output.segments, output.masks, salience, coverage, views)
            if weights.patch_view:
                parts["patch_view"] = losses.patch_view_matching(output.patches, salience, coverage, views)
            if weights.dense:
                parts["dense"] = losses.dense_matching(output.patches, self.relevance[keep], views)
        return parts


def build_student(config: DistillConfig, cache: FeatureCache, teacher: Teacher | None) -> Student:
    """A student before training: targets' mean and scale from the cache, first weights from where the recipe says."""
    torch.manual_seed(config.loop.seed)
    student = Student(config.student)
    if config.centre:
        mean, scale = cache.statistics(config.normalise)
        student.target_mean.copy_(mean)
        student.target_scale.fill_(scale)
    if config.start_from:
        start_from_student(student, config.start_from)
    elif config.encoder_from_teacher:
        if teacher is None:
            raise TrainingError("this recipe starts from the teacher's own vision tower: name it with --teacher.")
        start_from_teacher(student, teacher)
    return student


def distill(
    images: Sequence[Path],
    cache: FeatureCache,
    config: DistillConfig,
    run: Path,
    teacher: Teacher | None = None,
    evaluate: Callable[[Student], Figures] | None = None,
    resume: bool = False,
    quiet: bool = False,
) -> Student | None:
    """Train a student; it is saved in `run / "student"`. None when the run was interrupted (go on with `resume`).

    Raises `TrainingError`, `CacheError`.
    """
    cache = cache.only(config.views)
    data = ViewData(images, cache, config)
    student = build_student(config, cache, teacher)
    if torch.cuda.is_available():
        student.cuda()
    settings = {"distill": without_loop(config), "teacher": cache.teacher, "images": len(data.images)}
    finished = train(
        student,
        data.batch,
        Distillation(student, config),
        config.loop,
        run,
        "distil",
        settings,
        evaluate=(lambda: evaluate(student.eval())) if evaluate is not None else None,
        resume=resume,
        quiet=quiet,
    )
    if not finished:
        return None
    student.eval().save_pretrained(run / "student")
    return student
