"""`zeroseg cache`: a teacher's embeddings of the views of images, on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, Positional, arg

from zeroseg.cli.loading import DEFAULT_RECIPE, RecipeName, load_teacher, recipe_in, recipe_named
from zeroseg.cli.messages import UsageError, say
from zeroseg.cli.parsing import parse
from zeroseg.cli.progress import counting
from zeroseg.errors import CacheError
from zeroseg.feature_cache import QUARANTINE, build_cache
from zeroseg.images import find_images
from zeroseg.views import ViewsConfig


@dataclass(frozen=True)
class Cache:
    """Embed the views of images with a teacher, once for all training runs.

    Each image's central square is cut into grids of views, and the teacher's embedding of every view is saved. Views
    and teacher are the recipe's, unless you name others. After Ctrl-C the same command continues where it stopped; it
    also adds new images. Images that cannot be read are listed in quarantine.jsonl.

    examples:
      zeroseg cache photos/ --recipe photos_small --out cache
      zeroseg cache scenes/ --out cache
      zeroseg cache photos/ --recipe imagenet_vitb16 --teacher openai/clip-vit-large-patch14 --out cache
      zeroseg cache photos/ --grids 1 2 3 --side 192 --out cache
    """

    images: Positional[Annotated[tuple[Path, ...], arg(metavar="IMAGES...", help_behavior_hint="(required)")]] = ()
    """Pictures, or folders of them."""
    out: Annotated[Path | None, arg(metavar="FOLDER", help_behavior_hint="(required)")] = None
    """The cache: a new folder, or one to continue."""
    recipe: RecipeName = DEFAULT_RECIPE
    """The recipe with the views and the teacher."""
    teacher: Annotated[str | None, arg(metavar="NAME", help_behavior_hint="(default: the recipe's)")] = None
    """A teacher: a bundled one by name, a folder, or the name of a hub repository."""

    def run(self, views: ViewsConfig) -> int:
        """Embed what the cache does not hold yet."""
        if not self.images or self.out is None:
            raise UsageError(
                "name images and a folder: `zeroseg cache IMAGES --out FOLDER` (see `zeroseg cache --help`)."
            )
        images = find_images(self.images)
        teacher = load_teacher(self.teacher or recipe_named(self.recipe).student.teacher)
        try:
            with counting("caching", len(images)) as progress:
                report = build_cache(images, teacher, views, self.out, progress)
        except KeyboardInterrupt:
            say(f"stopped; the same command continues with the images in {self.out}.")
            raise
        if report.unreadable == len(images):
            raise CacheError(f"none of the {len(images)} images could be read: see {self.out / QUARANTINE}.")
        print(f"{report.embedded} images embedded, {report.found} already there, views {views.key}: {self.out}")
        if report.unreadable:
            print(f"{report.unreadable} images could not be read: {self.out / QUARANTINE} says why")
        return 0


def main(arguments: Sequence[str]) -> int:
    """Parse, with the recipe's views as defaults, and run."""
    default = recipe_in(arguments).views

    def options(
        command: Annotated[Cache, arg(name=""), FlagCreatePairsOff],
        views: Annotated[ViewsConfig, arg(name="")] = default,
    ) -> tuple[Cache, ViewsConfig]:
        return command, views

    command, views = parse(options, "cache", arguments, Cache.__doc__, pairs=True)
    return command.run(views)
