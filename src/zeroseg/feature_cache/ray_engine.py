"""Building a cache with Ray: blocks are made by actors, on one machine or on a cluster.

Every actor loads the teacher once and has a GPU if there is one. Blocks go to actors that are idle; Ray starts further
actors while there is work, and gives the blocks of an actor that has died to others: what it had written stands, and is
found. All machines must see the images and the folder of the cache at the same paths.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zeroseg.errors import CacheError, ConfigError, ZeroSegError
from zeroseg.feature_cache.building import CHUNK, SHARD, Block, Builder, CacheReport, Progress
from zeroseg.teacher import Teacher
from zeroseg.views import ViewsConfig

if TYPE_CHECKING:
    import numpy as np

MISSING = 'the engine ray needs further packages: pip install "zeroseg[ray]".'


@dataclass(frozen=True)
class RayOptions:
    """Where Ray runs, and how many actors there are.

    `address`: of a cluster, such as `auto` or `ray://host:10001`; "" starts Ray on this machine. `actors`: the most;
    0: as many as there are GPUs, or CPU cores without any. `cores`, `gpus`: of each actor; GPUs may be fractions.
    """

    address: str = ""
    actors: int = 0
    cores: int = 1
    gpus: float | None = None


@dataclass(frozen=True)
class Work:
    """What actors need to make blocks."""

    images: Sequence[Path]
    load_teacher: Callable[[], Teacher]
    views: ViewsConfig
    folder: Path
    shard: int
    chunk: int


class BlockMaker:
    """An actor: takes numbers of blocks, and makes these."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._builder = Builder(work.load_teacher(), work.views, work.folder, work.chunk)

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, list[Any]]:
        """A row of counts for each block."""
        made = [self._made(int(number)) for number in batch["id"]]
        return {
            "embedded": [block.embedded for block in made],
            "found": [block.found for block in made],
            "unreadable": [len(block.unreadable) for block in made],
        }

    def _made(self, number: int) -> Block:
        first = number * self._work.shard
        images = self._work.images[first : first + self._work.shard]
        return self._builder.make([self._builder.read(path) for path in images])


def build_with_ray(
    images: Sequence[Path],
    load_teacher: Callable[[], Teacher],
    views: ViewsConfig,
    folder: Path,
    progress: Progress = lambda _: None,
    options: RayOptions | None = None,
    *,
    shard: int = SHARD,
    chunk: int = CHUNK,
) -> CacheReport:
    """As `build_cache`, by actors of Ray. `load_teacher` is called in every actor.

    `progress`: called with the number of images of each block that is made. Raises `ConfigError` without Ray,
    `CacheError` if blocks cannot be made, also after Ray has tried again.
    """
    options = options or RayOptions()
    try:
        import ray
        from ray.data import ActorPoolStrategy, DataContext
        from ray.exceptions import RayError
    except ImportError as error:
        raise ConfigError(MISSING) from error
    if not ray.is_initialized():
        ray.init(address=options.address or None, log_to_driver=False, logging_level=logging.ERROR)
    DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray").setLevel(logging.ERROR)
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    resources, report = ray.cluster_resources(), CacheReport()
    gpus = options.gpus if options.gpus is not None else float(resources.get("GPU", 0) > 0)
    count = -(-len(images) // shard)
    most = options.actors or int(resources.get("GPU", 0) / gpus if gpus else resources["CPU"] / options.cores)
    work = Work(images, load_teacher, views, folder.absolute(), shard, chunk)
    made = ray.data.range(count, override_num_blocks=count).map_batches(
        BlockMaker,
        fn_constructor_args=(work,),
        batch_size=1,
        compute=ActorPoolStrategy(min_size=1, max_size=max(1, min(most, count))),
        num_cpus=options.cores,
        num_gpus=gpus or None,
    )
    try:
        for row in made.iter_rows():
            report.embedded, report.found = report.embedded + row["embedded"], report.found + row["found"]
            report.unreadable += row["unreadable"]
            progress(row["embedded"] + row["found"] + row["unreadable"])
    except RayError as error:
        cause = getattr(error, "cause", None)
        if isinstance(cause, ZeroSegError):
            raise cause from None
        raise CacheError(
            f"Ray could not make all blocks ({str(error).strip().splitlines()[-1]}): run again."
        ) from error
    return report
