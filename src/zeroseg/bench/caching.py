"""A cache of views, beside the bare teacher as often."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from zeroseg.bench.measuring import Pair
from zeroseg.bench.setting import RANDOM, Setting, crops, random_clip
from zeroseg.bench.targets import CACHE
from zeroseg.feature_cache import build_cache
from zeroseg.images import list_images
from zeroseg.teacher import Teacher
from zeroseg.training.costs import tower_sizes
from zeroseg.views import ViewsConfig

CROPS = 120  # of the bare teacher
CLIP, FEW = "openai/clip-vit-base-patch16", 4  # its sizes; photos
VIEWS = (ViewsConfig(side=448), ViewsConfig(side=448, own_resolution=True))


def caching(setting: Setting) -> Iterator[Pair]:
    """Photos of a folder to shards; crops of the teacher's size in memory to embeddings."""
    every = list_images([setting.folder_of_photos])
    for model in setting.models:
        teacher, sizes = setting.teacher(model), tower_sizes(model)
        images, forms, name = every, VIEWS, model
        if model == RANDOM:  # takes 30 times as long
            teacher, sizes, name = random_clip(setting.on), tower_sizes(CLIP), f"CLIP of {RANDOM}"
            images, forms = every[:FEW], VIEWS[:1]
        for views in forms:
            count = len(views.boxes()) * len(images)
            flops = count * sizes.flops(teacher.size) if sizes else 0.0
            yield Pair(
                "cache", f"{name}: {len(images)} photos, {views.key}", "bare teacher, crops in memory",
                _cached(images, teacher, views, setting.folder / "cache"), _bare(teacher, setting),
                scale=count / CROPS, target=CACHE, flops=flops, images=len(images),
            )  # fmt: skip


def _cached(images: Sequence[Path], teacher: Teacher, views: ViewsConfig, folder: Path) -> Callable[[], object]:
    def build() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        assert build_cache(images, teacher, views, folder).embedded == len(images)

    return build


def _bare(teacher: Teacher, setting: Setting) -> Callable[[], object]:
    pixels = crops(CROPS, teacher.size, setting.on)
    return lambda: teacher.embed_images(pixels)
