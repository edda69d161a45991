"""Segment many small photos, kill the run, go on with it, and look at its memory; then 1, 100 and 1,000 labels.

python scripts/many_photos.py [--photos 10000] [--work FOLDER]

Photos are scenes of the picturebook, the model is the one for them. The first run is killed (SIGKILL) when two fifths
are done; the same command goes on with the others. Printed are: how many were done by each run, whether any was done
twice or is missing, peak memory, and a table of time and memory by the number of labels. FOLDER/memory.svg shows the
memory of both runs over time. The exit code is 1 if anything was done twice or lost.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from zeroseg.known_words import KnownWords
from zeroseg.report import Point, line_chart
from zeroseg.report.html import STYLE

LABELS = "dog, cat, car, tree, house, grass, sky"
SAMPLED = 0.5  # seconds between two looks at the memory
WARM = 200  # photos after which memory should not grow
KNOWN = Path(__file__).parents[1] / "src/zeroseg/weights/photos_teacher/known_words.txt"


@dataclass
class Watched:
    """A run that was watched: the photos it has reported by state, and (seconds, photos, MB of memory)."""

    states: dict[str, str] = field(default_factory=dict[str, str])
    memory: list[tuple[float, int, float]] = field(default_factory=list[tuple[float, int, float]])
    code: int = 0

    @property
    def peak(self) -> float:
        """The largest memory, MB."""
        return max(megabytes for _, _, megabytes in self.memory)


def main() -> int:
    """Run everything."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--photos", type=int, default=10_000)
    parser.add_argument("--work", type=Path, default=Path("/tmp/many-photos"))
    given = parser.parse_args()
    shutil.rmtree(given.work, ignore_errors=True)
    photos, out = given.work / "photos", given.work / "out"
    write = ["picturebook", "write", "--split", "unlabelled", "--count", str(given.photos), "--out", str(photos)]
    subprocess.run(zeroseg(*write), check=True, stdout=subprocess.DEVNULL)
    words = ["segment", str(photos), "--model", "picturebook", "--no-overlays", "--json"]
    command = zeroseg(*words, "--labels", LABELS, "--out", str(out))
    first = watch(command, stop_after=2 * given.photos // 5)
    left = {path: path.stat().st_mtime_ns for path in out.rglob("*.png") if not path.name.startswith(".")}
    second = watch(command)
    right = compare(first, second, left, out, given.photos)
    draw({"first run": points(first), "the same command again": points(second)}, given.work / "memory.svg")
    few = given.work / "few"
    few.mkdir()
    for path in sorted(photos.glob("*.jpg"))[:WARM] or sorted(photos.glob("*.png"))[:WARM]:
        shutil.copy(path, few)
    by_labels(few, given.work)
    return 0 if right else 1


def zeroseg(*words: str) -> list[str]:
    """A command of zeroseg."""
    return [sys.executable, "-m", "zeroseg.cli", *words]


def watch(command: list[str], stop_after: int | None = None) -> Watched:
    """Run a command that prints a line of JSON a photo; kill it after some photos."""
    seen, begun, looked = Watched(), time.monotonic(), 0.0
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            values = json.loads(line)
            if "photo" in values:
                seen.states[values["photo"]] = values["state"]
            if time.monotonic() - looked > SAMPLED:
                looked = time.monotonic()
                seen.memory.append((looked - begun, len(seen.states), resident(process.pid)))
            if len(seen.states) == stop_after:
                process.send_signal(signal.SIGKILL)
                break
    seen.code = process.returncode
    return seen


def resident(pid: int) -> float:
    """The memory of a process, MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def points(run: Watched) -> list[Point]:
    """Memory over time."""
    return [(seconds, megabytes) for seconds, _, megabytes in run.memory]


def draw(lines: dict[str, list[Point]], path: Path) -> None:
    """The chart of a report as an SVG file: the first line is solid, the second dashed."""
    figure = ElementTree.fromstring(line_chart(lines, "seconds", "MB", "Memory", wide=True))
    chart = figure.findall("svg")[-1]
    style = ElementTree.Element("style")
    style.text = STYLE.read_text(encoding="utf-8")
    chart.insert(0, style)
    chart.attrib |= {"xmlns": "http://www.w3.org/2000/svg", "class": "chart"}
    path.write_text(ElementTree.tostring(chart, encoding="unicode"), encoding="utf-8")


def compare(first: Watched, second: Watched, left: dict[Path, int], out: Path, photos: int) -> bool:
    """Print what both runs did; whether nothing was done twice, and nothing is missing."""
    twice = sum(path.stat().st_mtime_ns != changed for path, changed in left.items())
    records = [path for path in out.rglob("*.json") if not path.name.startswith(".")]  # a kill may leave a hidden file
    complete = sum(bool(json.loads(path.read_text(encoding="utf-8"))) for path in records)
    masks = sum(path.with_suffix(".png").exists() for path in records)
    new, stood = (sum(state == kind for state in second.states.values()) for kind in ("segmented", "stood"))
    print(f"first run, killed: {len(left):,} results of {photos:,}; exit code {first.code}")
    print(f"second run: {stood:,} stood, {new:,} segmented; exit code {second.code}")
    print(f"done twice: {twice}; records {complete:,}, masks {masks:,}, missing {photos - complete:,}")
    late = [megabytes for _, done, megabytes in second.memory if done > min(len(left) + WARM, photos - 1)]
    grown = f"{late[0]:.0f}, {late[-1]:.0f}" if late else "not seen, too few photos"
    print(f"peak memory {max(first.peak, second.peak):.0f} MB; ", end="")
    print(f"second run, MB after {WARM} new photos and at the end: {grown}")
    return twice == 0 and complete == masks == photos and new + stood == photos and stood == len(left)


def by_labels(photos: Path, work: Path) -> None:
    """Time and memory of a run over a few photos with 1, 100 and 1,000 labels."""
    names = sorted(KnownWords.parse(KNOWN.read_text(encoding="utf-8")).names)
    print("labels  seconds a photo  peak memory, MB")
    for count in (1, 100, 1000):
        listed = work / f"{count}.txt"
        listed.write_text("\n".join(names[:count]), encoding="utf-8")
        out = work / f"out-{count}"
        options = ["--model", "photos", "--labels-file", str(listed), "--out", str(out), "--no-overlays", "--json"]
        run = watch(zeroseg("segment", str(photos), *options))
        begun = next(seconds for seconds, done, _ in run.memory if done)
        steady = (run.memory[-1][0] - begun) / max(run.memory[-1][1] - 1, 1)
        print(f"{count:>6}  {steady:>15.3f}  {run.peak:>15.0f}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
