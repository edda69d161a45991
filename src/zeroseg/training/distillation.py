"""Distillation: the config, the losses of a student on the teacher's views and windows, and their weights.

Letters: B image, V view, D embedding width, P patch, K kept patch, X pixel values of a patch,
S pixels along a side.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from zeroseg import losses
from zeroseg.errors import ConfigError
from zeroseg.feature_cache import embed_views
from zeroseg.images import resize
from zeroseg.precision import full_precision
from zeroseg.student import Student, StudentConfig, StudentOutput
from zeroseg.student.encoder import gather, random_keep
from zeroseg.student.model import patch_pixels
from zeroseg.teacher import Teacher
from zeroseg.training import diagnostics
from zeroseg.training.dense_targets import DenseTargets, Sight, WindowsConfig
from zeroseg.training.loop import LoopConfig, Loss, Metrics, without_loop
from zeroseg.training.loss_weights import LossWeights
from zeroseg.training.sampling import hflip
from zeroseg.training.student_training import check_mask_ratio
from zeroseg.training.view_data import ViewBatch, ViewData, order_of
from zeroseg.views import ViewsConfig, hflip_order, patch_coverage, patch_relevance

OVER_SHOWN_VIEWS = ("overlap", "patch_view")  # losses that are means over the views that show a patch


PRETRAINING = LossWeights(reconstruction=1.0, distillation=0.0, matching=0.0)


@dataclass(frozen=True)
class DistillConfig:
    """A whole recipe: student, views, targets, losses, loop. The defaults are the paper's at ViT-B/16."""

    student: StudentConfig = field(default_factory=StudentConfig)
    views: ViewsConfig = field(default_factory=ViewsConfig)
    losses: LossWeights = field(default_factory=LossWeights)
    multi_scale: bool = True
    """Distil all views into the global token, not only the whole image (the base of the paper's table 4)."""
    first_images: int = 0
    """Train on the first images only, this many; 0: on all."""
    mask_ratio: float = 0.6
    """Fraction of the patches that the encoder does not see in training."""
    flips: bool = False
    """Flip half of the images horizontally, together with their views."""
    normalise: bool = True
    """Scale targets to length 1. The paper does not say it, but with raw embeddings longer views would weigh more."""
    centre: bool = False
    """Subtract the mean of all targets, divide by the root mean square of the rest; both are saved in the weights."""
    focus: float = 0.0
    """Exponent: how much more a view counts in the dense targets of patches at its centre (`views.patch_relevance`)."""
    windows: WindowsConfig = field(default_factory=WindowsConfig)
    """Of the losses `window` and `window_cosine`: where the teacher's dense read-out comes from."""
    encoder_from_teacher: bool = False
    """Start the encoder from the teacher's own vision tower, and the patch projection if it has the teacher's form."""
    trainable_blocks: int | None = None
    """Train only the last blocks of the encoder, this many, and what follows them; 0: the encoder stays as it started,
    but for what is new in it. The number of all its blocks, or None in Python: the whole encoder."""
    start_from: str = ""
    """Start from all weights of this student (a bundled name, a folder, a hub name), not from random ones."""
    pretraining: float = 0.0
    """The fraction of the run, at its start, with reconstruction as the only loss: MAE pretraining of the encoder."""
    probe: int = 0
    """Images that are held out: at every evaluation the student's map of them is compared with the teacher's, and the
    best student is kept (`training.probe`). 0: none, and the last student is kept."""
    loop: LoopConfig = field(default_factory=LoopConfig)

    def __post_init__(self) -> None:
        weights = self.losses
        check_mask_ratio(self.mask_ratio)
        self._check_dense()
        if weights.matching and not any(self.views.is_local()):
            raise ConfigError("segment matching needs local views: add a grid to 1x1, or set its weight to 0.")
        if weights.distillation and not self.multi_scale and all(self.views.is_local()):
            raise ConfigError("distilling the whole image alone needs it among the views: add the grid 1x1.")
        if self.first_images < 0:
            raise ConfigError(f"first_images must be 0 or more, not {self.first_images}.")
        if not any(asdict(weights).values()):
            raise ConfigError("every loss has weight 0: there is nothing to learn.")
        blocks = self.student.encoder_blocks
        if self.trainable_blocks is not None and not 0 <= self.trainable_blocks <= blocks:
            raise ConfigError(
                f"trainable_blocks must be from 0 to the encoder's {blocks} blocks, not {self.trainable_blocks}."
            )
        if self.focus < 0:
            raise ConfigError(f"focus must be 0 or more, not {self.focus}.")
        if not 0 <= self.pretraining < 1:
            raise ConfigError(
                f"pretraining must be a fraction of the run, 0 .. 1 (1 excluded), not {self.pretraining}."
            )
        if (weights.reconstruction or self.pretraining) and not self.student.decoder_layers:
            raise ConfigError("reconstruction needs a student with decoder_layers.")
        if self.probe < 0:
            raise ConfigError(f"probe must be 0 images or more, not {self.probe}.")

    def _check_dense(self) -> None:
        """Raise `ConfigError` if the student has no patches for the losses on patches, or other targets than these."""
        if self.losses.of_patches and not self.student.patch_head:
            raise ConfigError("overlap, patch-view, dense and window matching need a student with patch_head.")
        if self.losses.use_windows:
            self.windows.check(self.student.image_size, self.student.patch_size)
        has_length_1 = self.losses.use_windows or self.student.patch_projection != "mlp"
        if has_length_1 and not self.normalise:
            raise ConfigError("windows and patch projections of the teacher's form have length 1: turn normalise on.")


class Distillation:
    """The objective: a weighted sum of the losses in use."""

    title = "distil"

    def __init__(self, student: Student, config: DistillConfig, data: ViewData, teacher: Teacher | None = None) -> None:
        """`teacher` is needed for losses on windows, and for views if `data` has no cache.

        Raises `ConfigError` if the teacher cannot read the windows.
        """
        self.student = self.model = student
        self.config, self.loop, self.data, self.teacher = config, config.loop, data, teacher
        self.dense: DenseTargets | None = None
        if config.losses.use_windows and teacher is not None:
            self.dense = DenseTargets(teacher, config.windows, config.student.grid)
        device = student.target_mean.device
        self.flipped_views = hflip_order(config.views).to(device)
        grid = config.student.grid
        self.flipped_patches = torch.arange(grid**2, device=device).view(grid, grid).flip(1).flatten()
        self.local = torch.tensor(config.views.is_local(), device=device)
        self.coverage = patch_coverage(config.views, config.student.grid).to(device)
        self.relevance = patch_relevance(config.views, config.student.grid, config.focus).to(device)

    @property
    def settings(self) -> Metrics:
        """The config, the teacher's fingerprint, the number of images and their order."""
        cache, images = self.data.cache, self.data.images
        made_by = cache.teacher if cache is not None else self.teacher.fingerprint if self.teacher else ""
        settings = {"distill": without_loop(self.config), "teacher": made_by, "images": len(images)}
        return settings | {"order": order_of(images)}

    def batch(self, step: int) -> ViewBatch:
        """The batch of step 0, 1, 2 ..."""
        return self.data.batch(step)

    def losses(self, batch: ViewBatch, progress: float, generator: torch.Generator) -> Iterator[Loss]:
        """The loss of every micro-batch: they add up to the loss of the batch.

        Which patches are kept is drawn for the whole batch; Gumbel noise is drawn for each micro-batch.
        """
        config = self.config
        weights = config.losses if progress >= config.pretraining else PRETRAINING
        keep = random_keep(len(batch.names), config.student.grid**2, config.mask_ratio, generator)
        sight = self.dense.draw(generator) if self.dense is not None else None
        kept = keep.tensor_split(self.loop.micro_batches)
        fractions = self._fractions(kept)
        parts = dict(zip(batch.parts or range(len(kept)), batch.split(len(kept)), strict=True))
        for number, some in enumerate(kept):
            if number in parts:
                yield self._loss(weights, parts[number], some, fractions[number], sight, generator)
            else:
                self._pass_over(some, generator)

    def _pass_over(self, keep: Int[Tensor, "B K"], generator: torch.Generator) -> None:
        """Draw the Gumbel noise of a micro-batch that another process has, so that later ones get their own."""
        images, tokens = keep.shape
        if self.config.student.assignment == "gumbel":
            for segments in self.config.student.segment_tokens:
                torch.rand(images, segments, tokens, generator=generator, device=generator.device)
                tokens = segments

    def _fractions(self, kept: Sequence[Int[Tensor, "_ K"]]) -> list[tuple[float, Tensor | float]]:
        """The fraction of the batch in each micro-batch: of its images, and of its views that show a kept patch."""
        if len(kept) == 1:
            return [(1.0, 1.0)]
        images = sum(map(len, kept))
        shown = torch.stack([losses.shown_views(self.coverage[some]).sum() for some in kept])
        of_shown = shown.clamp(min=1) / shown.sum().clamp(min=1)
        return [(len(some) / images, fraction) for some, fraction in zip(kept, of_shown, strict=True)]

    def _loss(
        self,
        weights: LossWeights,
        batch: ViewBatch,
        keep: Int[Tensor, "B K"],
        fractions: tuple[float, Tensor | float],
        sight: Sight | None,
        generator: torch.Generator,
    ) -> Loss:
        """What a micro-batch adds to the loss of the batch: its own losses, times its fraction of the batch."""
        squares = self._squares(batch)
        images = hflip(squares, batch.flipped)
        views = self.targets(self._views(batch, images))
        windows = None if self.dense is None else gather(self._windows(self.dense(squares, sight), batch.flipped), keep)
        output = self.student(images, keep, generator)
        rebuilt = self.student.reconstruct(output.tokens, keep) if weights.reconstruction else None
        of_images, of_shown = fractions
        with full_precision(images.device):
            parts = self._parts(weights, images, views, keep, output, rebuilt)
            if output.patches is not None and windows is not None:
                parts |= _distances("window", weights, output.patches, windows)
            if of_images < 1:  # all images drop equally many patches, so it is also the fraction of these
                parts = {k: part * (of_shown if k in OVER_SHOWN_VIEWS else of_images) for k, part in parts.items()}
            value = torch.stack([getattr(weights, name) * part for name, part in parts.items()]).sum()
        segments, masks = output.segments.detach(), output.masks.detach()
        local = views[:, self.local] if views.shape[1] else views
        return Loss(
            value,
            {name: part.detach() for name, part in parts.items()},
            lambda: diagnostics.read(segments, masks, local, of_images),
        )

    def targets(self, features: Float[Tensor, "B V D"]) -> Float[Tensor, "B V D"]:
        """The targets of the student: cached embeddings, normalised, centred and scaled as the config says."""
        return self._centred(F.normalize(features, dim=-1) if self.config.normalise else features)

    def _centred(self, features: Float[Tensor, "B N D"]) -> Float[Tensor, "B N D"]:
        return (features - self.student.target_mean) / self.student.target_scale

    def _squares(self, batch: ViewBatch) -> Float[Tensor, "B 3 S S"]:
        """The images as they are, at the student's size."""
        images, size = batch.images.float() / 255, self.config.student.image_size
        return resize(images, (size, size)) if images.shape[-1] != size else images

    def _views(self, batch: ViewBatch, images: Float[Tensor, "B 3 S S"]) -> Float[Tensor, "B V D"]:
        """The embeddings of the views of flipped images: those of the images as they are, in another order."""
        if not batch.features.shape[1]:
            return self._embedded(images)
        return torch.where(batch.flipped[:, None, None], batch.features[:, self.flipped_views], batch.features)

    def _windows(self, targets: Float[Tensor, "B P D"], flipped: Bool[Tensor, " B"]) -> Float[Tensor, "B P D"]:
        """The targets of the patches of flipped images, from those of the images as they are."""
        return self._centred(torch.where(flipped[:, None, None], targets[:, self.flipped_patches], targets))

    def _embedded(self, images: Float[Tensor, "B 3 S S"]) -> Float[Tensor, "B V D"]:
        """The teacher's embeddings of the views, computed now; no views if no loss needs them."""
        if self.teacher is None or not self.config.losses.use_views:
            return images.new_zeros(len(images), 0, self.config.student.embedding_width)
        side = self.config.views.side
        squares = resize(images, (side, side)) if images.shape[-1] != side else images
        return embed_views(self.teacher, self.config.views, squares).to(images.device)

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
            if weights.dense or weights.dense_cosine:
                parts |= _distances("dense", weights, output.patches, losses.mean_views(self.relevance[keep], views))
        return parts


def _distances(
    name: str, weights: LossWeights, ours: Float[Tensor, "B K D"], theirs: Float[Tensor, "B K D"]
) -> dict[str, Tensor]:
    """L1 and cosine distance of patches to the dense targets of a kind, as far as they have weights."""
    measures = {name: losses.mean_l1, f"{name}_cosine": losses.cosine_distance}
    return {name: measure(ours, theirs) for name, measure in measures.items() if getattr(weights, name)}
