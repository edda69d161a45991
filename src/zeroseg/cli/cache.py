"""`zeroseg cache`: a teacher's embeddings of the views of images, on disk."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import torch
from tyro.conf import FlagCreatePairsOff, Positional, arg

from zeroseg.cli.loading import DEFAULT_RECIPE, RecipeName, load_teacher, recipe_in, recipe_named
from zeroseg.cli.messages import FAILED, UsageError, say
from zeroseg.cli.parsing import check_positive, parse
from zeroseg.cli.progress import counting
from zeroseg.cli.run_costs import cache_lines
from zeroseg.errors import CacheError
from zeroseg.feature_cache import QUARANTINE, CacheReport, build_cache, verify_cache
from zeroseg.feature_cache.building import CHUNK, SHARD, blocks
from zeroseg.feature_cache.ray_engine import RayOptions, build_with_ray
from zeroseg.feature_cache.shard import shards_of
from zeroseg.images import PathList, list_images
from zeroseg.views import ViewsConfig

VERIFY = "verify"


@dataclass(frozen=True)
class Ray:
    """Where `--engine ray` runs."""

    address: Annotated[str, arg(metavar="ADDRESS", help_behavior_hint="(default: this machine)")] = ""
    """Of a Ray cluster, such as auto or ray://host:10001; its machines see images and cache at the same paths."""
    actors: Annotated[int, arg(help_behavior_hint="(default: one a GPU, or one a CPU core)")] = 0
    """How many processes embed, at most."""


@dataclass(frozen=True)
class Cache:
    """Embed the views of images with a teacher, once for all training runs.

    Each image's central square is cut into grids of views, and the teacher's embedding of every view is saved. Views
    and teacher are the recipe's, unless you name others. After Ctrl-C the same command continues where it stopped; it
    also adds new images. Images that cannot be read are listed in quarantine.jsonl.

    With several GPUs, start one process for each with torchrun, or use --engine ray; several machines can write to one
    folder. `zeroseg cache verify FOLDER` looks for shards that are damaged or lost; caching again makes these alone.

    examples:
      zeroseg cache photos/ --recipe photos_small --out cache
      zeroseg cache scenes/ --out cache
      zeroseg cache "shards/train-{0000..0127}.tar" --recipe imagenet_vitb16 --out cache --dry-run
      torchrun --nproc-per-node 8 -m zeroseg cache photos.txt --recipe imagenet_vitb16 --out cache --workers 8
      zeroseg cache photos/ --grids 1 2 3 --side 192 --out cache --engine ray
    """

    images: Positional[Annotated[tuple[Path, ...], arg(metavar="IMAGES...", help_behavior_hint="(required)")]] = ()
    """Pictures, folders of them, tars or Parquet files, text files with a path a line, hf:NAME/SPLIT, or
    hf-stream:NAME/SPLIT, which is not downloaded."""
    out: Annotated[Path | None, arg(metavar="FOLDER", help_behavior_hint="(required)")] = None
    """The cache: a new folder, or one to continue."""
    recipe: RecipeName = DEFAULT_RECIPE
    """The recipe with the views and the teacher."""
    teacher: Annotated[str | None, arg(metavar="NAME", help_behavior_hint="(default: the recipe's)")] = None
    """A teacher: a bundled one by name, a folder, or the name of a hub repository."""
    dry_run: bool = False
    """Embed nothing: print images, views, operations, bytes and hours."""
    engine: Literal["here", "ray"] = "here"
    """Who embeds: this process, or actors of Ray."""
    ray: Annotated[Ray, arg(name="ray")] = field(default_factory=Ray)
    workers: Annotated[int, arg(help_behavior_hint="(default: 0, threads)")] = 0
    """Processes that read images."""
    shard: Annotated[int, arg(metavar="IMAGES")] = SHARD
    """Images in a file of the cache: the most that a crash can lose."""
    chunk: Annotated[int, arg(metavar="IMAGES")] = CHUNK
    """Images that are embedded at once."""

    def run(self, views: ViewsConfig) -> int:
        """Embed what the cache does not hold yet."""
        self._check()
        images = list_images(self.images)
        name = self.teacher or recipe_named(self.recipe).student.teacher
        if self.dry_run or self.out is None:
            print("\n".join(cache_lines(len(images), views, name, self.out)))
            return 0
        try:
            report = self._report(images, views, name, self.out)
        except KeyboardInterrupt:
            say(f"stopped; the same command continues with the images in {self.out}.")
            raise
        for path in report.set_aside:
            say(f"a damaged shard is now {path}; its images were embedded again.")
        if report.unreadable and report.unreadable == len(images):
            raise CacheError(f"none of the {len(images)} images could be read: see {self.out / QUARANTINE}.")
        number, count = _part()
        of = f" (process {number + 1} of {count})" if count > 1 and self.engine == "here" else ""
        print(f"{report.embedded} images embedded, {report.found} already there, views {views.key}: {self.out}{of}")
        if report.unreadable:
            number_of_images = "1 image" if report.unreadable == 1 else f"{report.unreadable} images"
            print(f"{number_of_images} could not be read: {self.out / QUARANTINE} says why")
        return 0

    def _check(self) -> None:
        """Raise `UsageError` for options that are missing, impossible, or do not go together."""
        if not self.images or (self.out is None and not self.dry_run):
            raise UsageError(
                "name images and a folder: `zeroseg cache IMAGES --out FOLDER` (see `zeroseg cache --help`)."
            )
        for name in ("shard", "chunk"):
            check_positive(f"--{name}", getattr(self, name))
        for name, number in {"--workers": self.workers, "--ray.actors": self.ray.actors}.items():
            if number < 0:
                raise UsageError(f"{name} must be 0 or more, not {number}.")
        if self.engine == "ray" and self.workers:
            raise UsageError("--workers goes with --engine here: each actor of Ray reads its own images.")

    def _report(self, images: PathList, views: ViewsConfig, teacher: str, out: Path) -> CacheReport:
        """Embed, in the way that is chosen."""
        sizes = {"shard": self.shard, "chunk": self.chunk}
        if self.engine == "ray":
            options = RayOptions(self.ray.address, self.ray.actors)
            with counting("caching", len(images)) as progress:
                return build_with_ray(images, partial(load_teacher, teacher), views, out, progress, options, **sizes)
        part, device = _part(), None
        if part[1] > 1 and torch.cuda.is_available():
            device = f"cuda:{int(os.environ.get('LOCAL_RANK', 0)) % torch.cuda.device_count()}"
        loaded = load_teacher(teacher, device)

        def build(progress: Callable[[int], None] = lambda _: None) -> CacheReport:
            return build_cache(images, loaded, views, out, progress, **sizes, part=part, workers=self.workers)

        if part[0]:
            return build()  # the first process shows the progress of its own part
        own = sum(map(len, blocks(images, self.shard)[:: part[1]]))
        with counting("caching", own) as progress:
            return build(progress)


@dataclass(frozen=True)
class Verify:
    """Look for shards of a cache that are damaged or lost: all bytes are read, and compared with the shards' names.

    Damaged shards are set aside (renamed to end in .damaged). `zeroseg cache` on the same images then makes what is
    missing, and nothing else.

    examples:
      zeroseg cache verify cache
    """

    folder: Positional[Annotated[Path, arg(metavar="FOLDER", help_behavior_hint="(required)")]]
    """The cache."""

    def run(self) -> int:
        """Print what was found; 1 if something is damaged or lost."""

        with counting("verifying", len(shards_of(self.folder)), "shards") as progress:
            found = verify_cache(self.folder, progress)
        for path, reason in found.damaged.items():
            print(f"damaged: {path.name} ({reason})")
        for name in found.lost:
            print(f"lost: {name}.safetensors")
        shards = "1 shard" if found.whole == 1 else f"{found.whole} shards"
        print(f"whole: {shards} with {found.images} images in {self.folder}")
        if found.is_whole:
            return 0
        say(f"about {found.lost_images} images are to be embedded again: run `zeroseg cache` on them, with this --out.")
        return FAILED


def _part() -> tuple[int, int]:
    """Which of how many processes this is, as torchrun says it."""
    return int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))


def main(arguments: Sequence[str]) -> int:
    """Parse, with the recipe's views as defaults, and run."""
    if arguments[:1] == [VERIFY] and not Path(VERIFY).exists():
        return parse(Verify, f"cache {VERIFY}", arguments[1:]).run()
    default = recipe_in(arguments).views

    def options(
        command: Annotated[Cache, arg(name=""), FlagCreatePairsOff],
        views: Annotated[ViewsConfig, arg(name="")] = default,
    ) -> tuple[Cache, ViewsConfig]:
        return command, views

    command, views = parse(options, "cache", arguments, Cache.__doc__, pairs=True)
    return command.run(views)
