"""Whether a cache holds what was written to it: all bytes of all shards are read."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from zeroseg.errors import CacheError
from zeroseg.feature_cache.building import SHARDS, set_aside
from zeroseg.feature_cache.manifest import read_manifest
from zeroseg.feature_cache.shard import DamagedShardError, damage_of, open_shard, shards_of


@dataclass
class Verification:
    """Shards that are as they were written, in number; those that are not, with reasons; and those that are lost.

    `images`: in whole shards. `lost_images`: in damaged and lost shards, as far as it is known.
    """

    whole: int = 0
    images: int = 0
    damaged: dict[Path, str] = field(default_factory=dict[Path, str])
    lost: list[str] = field(default_factory=list[str])
    lost_images: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether nothing is damaged or lost."""
        return not self.damaged and not self.lost


def verify_cache(
    folder: Path, progress: Callable[[int], None] = lambda _: None, put_aside: bool = True
) -> Verification:
    """Read all shards of a cache, compare them with their names, and set damaged ones aside (`put_aside`).

    `progress`: called with numbers of shards. Shards that were written and are no longer there are lost. Caching the
    images again makes what is damaged or lost, and nothing else. Raises `CacheError` if the folder is no cache.
    """
    manifest = read_manifest(folder)
    if manifest is None:
        raise CacheError(f"{folder} is not a feature cache: make one with `zeroseg cache IMAGES --out {folder}`.")
    found, written = Verification(), written_shards(folder)
    for path in shards_of(folder):
        reason = damage_of(path)
        try:
            images = len(open_shard(path, manifest))
        except DamagedShardError:
            reason, images = reason or "it is no shard", 0
        if reason:
            found.damaged[set_aside(path) if put_aside else path] = reason
            found.lost_images += written.get(path.stem, 0)
        else:
            found.whole, found.images = found.whole + 1, found.images + images
        written.pop(path.stem, None)
        progress(1)
    found.lost, found.lost_images = sorted(written), found.lost_images + sum(written.values())
    return found


def written_shards(folder: Path) -> dict[str, int]:
    """The shards that were written to a cache, with their numbers of images; damaged lines are left out."""
    rows = dict[str, int]()
    with suppress(OSError):
        for line in (folder / SHARDS).read_text(encoding="utf-8", errors="replace").splitlines():
            with suppress(ValueError, KeyError, TypeError):
                row = json.loads(line)
                rows[str(row["shard"])] = int(row["images"])
    return rows
