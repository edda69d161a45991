"""A step of distillation, and the loader of its batches, each beside what they could be."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace

from zeroseg.bench.measuring import Pair
from zeroseg.bench.photos import bare
from zeroseg.bench.setting import RANDOM, Setting
from zeroseg.bench.targets import LOADER, STEP
from zeroseg.evaluation.cost import encoding_flops
from zeroseg.feature_cache import FeatureCache, build_cache
from zeroseg.images import list_images
from zeroseg.recipes import photos_small
from zeroseg.student.cost import training_flops
from zeroseg.training.distill import distillation_of
from zeroseg.training.distillation import Distillation, DistillConfig
from zeroseg.training.optimiser import build_optimiser
from zeroseg.training.update import update


def stepping(setting: Setting) -> Iterator[Pair]:
    """A step, beside the bare encoder's forward passes with as many operations."""
    for model in (name for name in setting.models if name != RANDOM):
        objective, segmenter = _objective(setting, model), setting.segmenter(model)
        config = objective.config
        flops = training_flops(config.student, config.mask_ratio, config.trainable_blocks) * config.loop.batch_size
        scale = flops / encoding_flops(segmenter, setting.photo)
        yield Pair(
            "step", f"{model}: a step of {config.loop.batch_size} photos", "bare encoder, as many operations",
            _stepped(objective), bare(segmenter, setting),
            scale=scale, target=STEP, flops=flops, images=config.loop.batch_size,
        )  # fmt: skip


def loading(setting: Setting) -> Iterator[Pair]:
    """A batch by one worker, beside the step that needs it."""
    for model in (name for name in setting.models if name != RANDOM):
        objective = _objective(setting, model)
        size = objective.loop.batch_size
        load, step = _loaded(objective), _stepped(objective)
        yield Pair("loader", f"{model}: {size} photos by one worker", "a step with them", load, step, target=LOADER)


def _stepped(objective: Distillation) -> Callable[[], object]:
    """Takes the next step with the batch of the first one, which is in memory."""
    batch, numbers = objective.batch(0).to(objective.student.target_mean.device), itertools.count()
    optimiser = build_optimiser(objective.model, objective.loop.optimiser)
    return lambda: update(objective, optimiser, batch, next(numbers) % objective.loop.steps)


def _loaded(objective: Distillation) -> Callable[[], object]:
    """Makes the batch of the next step."""
    numbers = itertools.count()
    return lambda: objective.batch(next(numbers))


def _objective(setting: Setting, model: str) -> Distillation:
    """The recipe `photos_small` on the folder's photos."""
    teacher, config = setting.teacher(model), _config()
    folder = setting.folder / "step-cache"
    images = list_images([setting.folder_of_photos])
    build_cache(images, teacher, config.views, folder)
    return distillation_of(images, FeatureCache(folder), config, teacher)


def _config() -> DistillConfig:
    recipe = photos_small()
    return replace(recipe, loop=replace(recipe.loop, batch_size=16, workers=0))
