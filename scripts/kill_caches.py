"""Caches whose processes are killed: SIGKILL at random moments, two processes on one folder at a time.

python -m scripts.kill_caches [--kills 100] [--images 300] [--work FOLDER]

Scenes of the picturebook, embedded with the bundled teacher of drawings in shards of eight images, from both ends at
once. After every kill the cache is opened, and all bytes are verified; when it is complete, its features are compared
with those of a cache that nobody disturbed, and a new one is begun. Prints how often each thing happened; the exit code
is 1 if anything was lost, damaged or different.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from zeroseg.feature_cache import MANIFEST, FeatureCache, build_cache, verify_cache
from zeroseg.images import list_images
from zeroseg.picturebook import draw_scene
from zeroseg.teacher import Teacher
from zeroseg.views import ViewsConfig

VIEWS = ViewsConfig(side=96, grids=(1, 2))
SHARD = 8
COUNTED = ("kills", "caches completed", "damaged shards", "lost images", "different features")
LONGEST = 0.6  # seconds until a kill


def main() -> int:
    """Kill, compare, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--work", type=Path, default=Path("/tmp/kill-caches"))
    given = parser.parse_args()
    torch.set_num_threads(1)  # before processes are forked
    shutil.rmtree(given.work, ignore_errors=True)
    images = written(given.work / "scenes", given.images)
    teacher = Teacher.from_pretrained("picturebook")
    whole = given.work / "whole"
    if os.waitpid(forked(images, teacher, whole), 0)[1]:
        return 1
    counts: dict[str, int] = dict.fromkeys(COUNTED, 0)
    while counts["kills"] < given.kills:
        folder = given.work / "cache"
        shutil.rmtree(folder, ignore_errors=True)
        while not is_complete(folder, images):
            kill_two(images, teacher, folder, counts)
            held = verified(folder, counts)
            counts["lost images"] += max(0, held[0] - held[1])
        counts["caches completed"] += 1
        counts["different features"] += differences(whole, folder)
    for name, count in counts.items():
        print(f"{name:20} {count}")
    left = [path for path in (given.work / "cache").iterdir() if path.name.startswith(".zeroseg-")]
    print(f"{'files left behind':20} {len(left)}")
    shutil.rmtree(given.work)
    return int(any(counts[name] for name in ("damaged shards", "lost images", "different features")))


def written(folder: Path, count: int) -> Sequence[Path]:
    """Scenes as files."""
    folder.mkdir(parents=True)
    for number in range(count):
        draw_scene("unlabelled", number).image.save(folder / f"{number:04d}.png")
    return list_images([folder])


def forked(images: Sequence[Path], teacher: Teacher, folder: Path) -> int:
    """The number of a process that builds a cache."""
    process = os.fork()
    if not process:
        build_cache(images, teacher, VIEWS, folder, shard=SHARD, chunk=4)
        os._exit(0)
    return process


def kill_two(images: Sequence[Path], teacher: Teacher, folder: Path, counts: dict[str, int]) -> None:
    """Let two processes build, one of them from the end, and kill both at some moment."""
    pair = forked(images, teacher, folder), forked(images[::-1], teacher, folder)
    time.sleep(random.uniform(0, LONGEST))
    for process in pair:
        os.kill(process, signal.SIGKILL)
        counts["kills"] += os.WIFSIGNALED(os.waitpid(process, 0)[1])


def verified(folder: Path, counts: dict[str, int]) -> tuple[int, int]:
    """Images that the list of shards has, and images that are there."""
    if not (folder / MANIFEST).exists():
        return 0, 0
    found = verify_cache(folder)
    counts["damaged shards"] += len(found.damaged)
    return found.images + found.lost_images, found.images


def is_complete(folder: Path, images: Sequence[Path]) -> bool:
    """Whether all images are in a cache."""
    return (folder / MANIFEST).exists() and bool((FeatureCache(folder).find(images) >= 0).all())


def differences(one: Path, other: Path) -> int:
    """In how many images two caches differ."""
    first, second = FeatureCache(one), FeatureCache(other)
    keys = [first.key_at(place) for place in range(len(first))]
    return sum(not np.array_equal(first[key].numpy(), second[key].numpy()) for key in keys)


if __name__ == "__main__":
    sys.exit(main())
