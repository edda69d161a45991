"""Peak memory of `zeroseg cache` and `zeroseg distill` with few and with very many images.

python -m scripts.memory_of_many [--images 1000 100000] [--work FOLDER]

Images are noise, 32 x 32 pixels, in one tar. The cache has one view of each, by the bundled teacher of drawings; then
30 steps of its recipe. Both are processes of their own. Memory is the peak of the resident set; pages of mapped files,
which the system can take back, are in it.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tarfile
import time
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

VIEWS = ["--grids", "1", "--side", "96", "--no-overlapping"]
RUN = [
    *("--recipe", "picturebook", "--views.grids", "1", "--views.no-overlapping", "--steps", "30"),
    *("--validate-on", "none", "--losses.dense", "1", "--losses.overlap", "0", "--losses.patch-view", "0"),
]


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--images", type=int, nargs="+", default=[1000, 100_000])
    parser.add_argument("--work", type=Path, default=Path("/tmp/memory-of-many"))
    given = parser.parse_args()
    print("   images  step        seconds   peak memory", flush=True)
    for count in given.images:
        shutil.rmtree(given.work, ignore_errors=True)
        given.work.mkdir(parents=True)
        images = write_images(given.work / "images.tar", count)
        cache, run = str(given.work / "cache"), str(given.work / "run")
        for name, words in (
            ("cache", ["cache", str(images), "--out", cache, *VIEWS]),
            ("distill", ["distill", "--images", str(images), "--cache", cache, "--out", run, *RUN]),
        ):
            begun = time.monotonic()
            peak = peak_of([sys.executable, "-m", "zeroseg", *words])
            print(f"{count:9,}  {name:<8} {time.monotonic() - begun:10.0f}   {peak / 1e6:8.0f} MB", flush=True)
    shutil.rmtree(given.work)


def write_images(path: Path, count: int) -> Path:
    """A tar of so many PNG files, each another one."""
    random = np.random.default_rng(0)
    with tarfile.open(path, "w") as tar:
        for number in range(count):
            buffer = BytesIO()
            Image.fromarray(random.integers(0, 256, (32, 32, 3), np.uint8)).save(buffer, "PNG", compress_level=0)
            entry = tarfile.TarInfo(f"{number // 1000:04d}/{number:08d}.png")
            entry.size = buffer.tell()
            buffer.seek(0)
            tar.addfile(entry, buffer)
    return path


def peak_of(command: list[str]) -> int:
    """Bytes of the peak of a process and of those that it starts."""
    measured = [sys.executable, "-c", MEASURE, *command]
    done = subprocess.run(measured, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return int(done.stdout.split()[-1])


MEASURE = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(1024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""

if __name__ == "__main__":
    main()
