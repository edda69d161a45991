"""Whether a cache holds what was written to it: all bytes of all shards are read."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from zeroseg.errors import CacheError, OutputError
from zeroseg.feature_cache.building import set_aside
from zeroseg.feature_cache.manifest import read_manifest
from zeroseg.feature_cache.shard import DamagedShardError, damage_of, open_shard, shards_of
from zeroseg.feature_cache.written import LETTERS, Written, written_shards
from zeroseg.image_index import as_text


@dataclass
class Verification:
    """Shards that are as they were written, in number; those that are not, with reasons; and those that are lost.

    `images`: in whole shards. `lost_images`: in damaged and lost shards and in no other, as far as it is known.
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

    `progress`: called with numbers of shards. Shards that were written and are no longer there are lost, unless others
    have all of their images. Caching the images again makes what is damaged or lost, and nothing else. Raises
    `CacheError` if the folder is no cache.
    """
    manifest = read_manifest(folder)
    if manifest is None:
        raise CacheError(f"{folder} is not a feature cache: make one with `zeroseg cache IMAGES --out {folder}`.")
    found, written = Verification(), written_shards(folder)
    whole, damaged = list[Path](), list[Written]()
    for path in shards_of(folder):
        reason = damage_of(path)
        try:
            images = len(open_shard(path, manifest))
        except DamagedShardError:
            reason, images = reason or "it is no shard", 0
        row = written.pop(path.stem, None)
        if reason:
            found.damaged[_aside(path) if put_aside else path] = reason
            damaged += [] if row is None else [row]
        else:
            whole.append(path)
            found.whole, found.images = found.whole + 1, found.images + images
        progress(1)
    is_missed = bool(written or damaged)
    held = {as_text(key)[:LETTERS] for path in whole * is_missed for key in open_shard(path, manifest).keys}
    lost = {name: images for name, row in sorted(written.items()) if (images := row.lost(held))}
    found.lost, found.lost_images = [*lost], sum(lost.values()) + sum(row.lost(held) for row in damaged)
    return found


def _aside(shard: Path) -> Path:
    """A damaged shard, set aside unless the folder cannot be written."""
    with suppress(OutputError):
        return set_aside(shard)
    return shard
