"""Seconds and peak memory of listing very many images, and how many are looked up in a second.

python -m scripts.listing_bench [--large] [--work FOLDER]

Lists have 1.28 million paths, with --large also 100 million (11 GB on the disk). Four inputs: a text file; two text
files of half of the paths each, which are compared; a stream of paths as a walk over folders yields them; and with 1.28
million paths one tar of files of a byte. Each is a process of its own. Rates are by CPU time; "memory" is by how much
the peak has grown, with the pages of mapped files, which the system can take back.
"""

from __future__ import annotations

import argparse
import os
import pickle
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from zeroseg.archives import read_bytes, status_of
from zeroseg.images.listing import PathList, list_images
from zeroseg.images.path_list import PathsInMemory

IMAGENET, LARGE = 1_281_167, 100_000_000
LOOKED_UP = 200_000


def main() -> None:
    """Run all cases, or the one that is named."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--work", type=Path, default=Path("/tmp/listing-bench"))
    parser.add_argument("--case", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.case:
        return measure(given.case[0], int(given.case[1]), given.work)
    given.work.mkdir(parents=True, exist_ok=True)
    print(
        "input               paths   seconds   of CPU     memory  a path   looked up    in order   pickled", flush=True
    )
    for count in (IMAGENET, LARGE) if given.large else (IMAGENET,):
        write_lists(given.work, count)
        for case in CASES:
            if case != "tar" or count == IMAGENET:
                case_of = ["--work", str(given.work), "--case", case, str(count)]
                subprocess.run([sys.executable, "-m", "scripts.listing_bench", *case_of], check=True)
    return None


def names(count: int) -> Iterator[str]:
    """Paths as those of ImageNet."""
    return (f"/data/imagenet/train/n{number // 1300:08}/n{number // 1300:08}_{number}.JPEG" for number in range(count))


def write_lists(work: Path, count: int) -> None:
    """The text files of a number of paths, if they are not there."""
    targets = [work / f"all-{count}.txt", work / f"half-{count}-0.txt", work / f"half-{count}-1.txt"]
    if not all(target.exists() for target in targets):
        with targets[0].open("w") as whole, targets[1].open("w") as one, targets[2].open("w") as other:
            for number, name in enumerate(names(count)):
                whole.write(f"{name}\n")
                (one if 2 * number < count else other).write(f"{name}\n")


def write_tar(path: Path, count: int) -> Path:
    """A tar of files of one byte."""
    if not path.exists():
        with path.open("wb") as file:
            for name in names(count):
                info = tarfile.TarInfo(name.removeprefix("/data/imagenet/"))
                info.size = 1
                file.write(info.tobuf(tarfile.GNU_FORMAT) + b"x".ljust(512, b"\0"))
            file.write(bytes(1024))
    return path


CASES: dict[str, Callable[[Path, int], PathList]] = {
    "text": lambda work, count: list_images([work / f"all-{count}.txt"]),
    "two texts": lambda work, count: list_images([work / f"half-{count}-{part}.txt" for part in (0, 1)]),
    "walk": lambda _work, count: PathList(PathsInMemory.of(names(count))),
    "tar": lambda work, count: list_images([write_tar(work / f"{count}.tar", count)]),
}


def measure(case: str, count: int, work: Path) -> None:
    """Print a row of the table."""
    if case == "tar":
        write_tar(work / f"{count}.tar", count)
    before, start, started = peak(), time.perf_counter(), time.process_time()
    found = CASES[case](work, count)
    seconds, cpu, memory = time.perf_counter() - start, time.process_time() - started, peak() - before
    assert len(found) == count
    chosen = np.random.default_rng(0).integers(0, count, LOOKED_UP)
    random = rate(lambda: sum(found[int(number)] is None for number in chosen), LOOKED_UP)
    order = rate(lambda: sum(path is None for path in found[:LOOKED_UP]), LOOKED_UP)
    stored = len(pickle.dumps(found[::2]))
    print(
        f"{case:12} {count:12,} {seconds:7.1f} s {cpu:6.1f} s {memory / 1e6:7.0f} MB {memory / count:5.0f} B"
        f" {random:9,.0f}/s {order:9,.0f}/s {stored / 1e6:6.1f} MB",
        flush=True,
    )
    if case == "tar":
        start = time.perf_counter()
        read_bytes(found[0])
        print(f"  its directory: {time.perf_counter() - start:.1f} s, {(peak() - before) / 1e6:.0f} MB at most", end="")
        some = [found[int(number)] for number in chosen[:20_000]]
        print(f"; {rate(lambda: list(map(read_bytes, some)), len(some)):,.0f} files read in a second", end="")
        print(f"; {rate(lambda: list(map(status_of, some)), len(some)):,.0f} looked at")


def rate(run: Callable[[], object], count: int) -> float:
    """How many in a second of CPU time."""
    start = time.process_time()
    run()
    return count / (time.process_time() - start)


def peak() -> int:
    """The most bytes of memory of this process so far."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
