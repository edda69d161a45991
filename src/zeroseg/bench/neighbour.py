"""A process that segments a photo whenever it is told to: `python -m zeroseg.bench.neighbour MODEL LABELS SIDE DEVICE`.

For each line on stdin it segments the photo, and answers with the most memory that it has had, MB; nan where the
system does not say. It ends with stdin.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from zeroseg.bench.photos import called
from zeroseg.bench.setting import Setting, words
from zeroseg.vocabulary import Vocabulary

STATUS = Path("/proc/self/status")


def main(arguments: Sequence[str]) -> None:
    """Make everything ready, and answer the lines of stdin."""
    model, labels, side, device = arguments
    with TemporaryDirectory() as folder:
        setting = Setting(Path(folder), (model,), int(side), device=device)
        segmenter = setting.segmenter(model).reading(refinement=0)
        segment = called(segmenter, setting.photo, Vocabulary(tuple(words(int(labels)))))
        for _ in sys.stdin:
            segment()
            print(peak(), flush=True)


def peak() -> float:
    """The most memory that this process has had, MB: its own, while `getrusage` begins with that of its parent."""
    try:
        lines = STATUS.read_text(encoding="utf-8").splitlines()
    except OSError:
        return math.nan
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM")), math.nan)


if __name__ == "__main__":
    main(sys.argv[1:])
