"""Seconds and peak memory of opening a cache of very many images, and of looking all of them up.

python -m scripts.opening_bench [--images 1281167 100000000] [--work FOLDER]

The cache is synthetic: random keys, and features of one view with one number. Looked up are the digests of all files in
the index, then their keys among the shards, as a run does when it begins. Each number is a process of its own. 100
million images take 6 GB on the disk.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from zeroseg.feature_cache import FeatureCache, Manifest
from zeroseg.feature_cache.shard import write_shard
from zeroseg.image_index import NAME
from zeroseg.key_tables import KeyTables
from zeroseg.views import ViewsConfig

AT_ONCE = 2**20  # rows
SHARD = 2**16  # images
MANIFEST = Manifest("synthetic", 1, ViewsConfig(side=32, grids=(1,)))


def main() -> None:
    """Write synthetic caches, and measure each in a process of its own."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--images", type=int, nargs="+", default=[1_281_167])
    parser.add_argument("--work", type=Path, default=Path("/tmp/opening-bench"))
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        return measure(given.measure, given.work)
    print("      images   opened   looked up      memory", flush=True)
    for count in given.images:
        shutil.rmtree(given.work, ignore_errors=True)
        write(count, given.work)
        command = [sys.executable, "-m", "scripts.opening_bench", "--work", str(given.work), "--measure", str(count)]
        subprocess.run(command, check=True)
    shutil.rmtree(given.work)
    return None


def keys_of(part: int, rows: int) -> np.ndarray:
    """Digests and keys of some images: the same whenever they are asked for."""
    return np.random.default_rng(part).integers(0, 2**64, (2, rows, 2), np.uint64)


def parts_of(count: int) -> list[tuple[int, int]]:
    """Numbers of parts, and their rows."""
    return [(part, min(AT_ONCE, count - first)) for part, first in enumerate(range(0, count, AT_ONCE))]


def write(count: int, folder: Path) -> None:
    """A cache of so many images."""
    folder.mkdir(parents=True)
    MANIFEST.begin(folder)
    tables = KeyTables(folder / NAME)
    for part, rows in parts_of(count):
        digests, keys = keys_of(part, rows)
        assert tables.add(digests, keys)
        for first in range(0, rows, SHARD):
            some = keys[first : first + SHARD]
            write_shard(folder, MANIFEST, some, np.zeros((len(some), 1, 1), np.float16))


def measure(count: int, folder: Path) -> None:
    """Open, look up, and print a row."""
    begun = time.monotonic()
    cache, tables = FeatureCache(folder), KeyTables(folder / NAME)
    opened = time.monotonic() - begun
    begun, found = time.monotonic(), 0
    for part, rows in parts_of(count):
        keys, there = tables.find(keys_of(part, rows)[0])
        found += int((there & (cache.places(keys) >= 0)).sum())
    assert found == count
    peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{count:12,} {opened:6.1f} s {time.monotonic() - begun:9.1f} s {peak / 1e6:8,.0f} MB", flush=True)


if __name__ == "__main__":
    main()
