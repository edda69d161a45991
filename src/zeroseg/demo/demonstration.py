"""The demo from end to end."""

from __future__ import annotations

import contextlib
import shlex
import shutil
import sys
import time
from pathlib import Path

from zeroseg.demo.comparison import compare, terminal_table
from zeroseg.demo.config import DATASET, DemoConfig
from zeroseg.demo.log import Log
from zeroseg.demo.page import compose
from zeroseg.demo.pictures import PHOTOS, SCENES, Shown, segment_pictures
from zeroseg.demo.training_run import cache_features, draw_images, learn
from zeroseg.files import write_text_atomically
from zeroseg.segmenter import Segmenter

REPORT = "report.html"


def run(out: Path, minutes: float = 3.0, quiet: bool = False, config: DemoConfig | None = None) -> Path:
    """Run the demo, with about `minutes` minutes of training; returns the report's path.

    The folder `out` receives `photos`, `pictures`, `images`, the cache, a run and the report. Images and cache of an
    earlier demo are used again; the run is always new. Ctrl-C prints what is in the folder and raises
    `KeyboardInterrupt`.
    Raises `WeightsError`, `TeacherError`, `DatasetError`, `CacheError`, `TrainingError`, `OutputError`.
    """
    log = Log(quiet)
    try:
        return _demonstrate(out, minutes, config or DemoConfig(), log)
    except KeyboardInterrupt:
        log.say(_what_is_there(out))
        raise


def _demonstrate(out: Path, minutes: float, config: DemoConfig, log: Log) -> Path:
    started, photos = time.monotonic(), list[Shown]()
    log.title("1  Pictures, segmented by words")
    if config.photos is not None:
        photos = segment_pictures(Segmenter.from_pretrained(config.photos), PHOTOS, out / "photos", log)
    bundled = Segmenter.from_pretrained(config.model, config.teacher)
    teacher = bundled.whole_teacher
    scenes = segment_pictures(bundled, SCENES, out / "pictures", log)
    log.title("2  A student learns from scratch")
    images = draw_images(out / "images", teacher, config, log)
    cache = cache_features(images, teacher, config.recipe.views, out, log)
    trained = learn(images, cache, teacher, out, minutes, config, log)
    log.title("3  Comparison, on held-out scenes")
    rows = compare(trained, cache, bundled, config, log)
    log.show(terminal_table(rows))
    commands = next_commands(trained.run)
    html = compose(photos, scenes, trained, rows, commands, teacher, config, time.monotonic() - started)
    write_text_atomically(out / REPORT, html)
    log.title("Done")
    log.say(f"The report, with pictures, curves and figures: {out / REPORT}")
    log.say("Try next:")
    for words, command in commands:
        log.say(f"  {words}\n    {command}")
    return out / REPORT


def next_commands(run_folder: Path) -> list[tuple[str, str]]:
    """Three next commands, each as (words, command)."""
    zeroseg = _program()
    return [
        (
            "Segment scenes by words of your own:",
            f"{zeroseg} picturebook write --split validation --count 5 --side 384 --out scenes && "
            f'{zeroseg} segment scenes --model picturebook --labels "cat, tree, water" --out masks',
        ),
        (
            "Evaluate the student that was just trained, on more scenes:",
            f"{zeroseg} evaluate --dataset {DATASET} --model {shlex.quote(str(run_folder / 'student'))}",
        ),
        (
            "Distil a student on a folder of images of this kind:",
            f"{zeroseg} cache images --recipe picturebook --out cache && "
            f"{zeroseg} distill --recipe picturebook --images images --cache cache --out runs/student",
        ),
    ]


def _program() -> str:
    """How to call `zeroseg` from here: by name if the shell finds it, else by its path."""
    if shutil.which("zeroseg"):
        return "zeroseg"
    program = Path(sys.executable).parent / "zeroseg"
    with contextlib.suppress(ValueError):
        program = program.relative_to(Path.cwd())
    return str(program)


def _what_is_there(out: Path) -> str:
    kinds = {
        "photos/*.jpg": "segmented photos",
        "pictures/*.png": "segmented pictures",
        "images/*.png": "drawn scenes",
        "cache-*": "feature cache",
        "run-*": "runs",
        REPORT: "report",
    }
    counts = {words: len(list(out.glob(pattern))) for pattern, words in kinds.items()}
    there = ", ".join(f"{count:,} {words}" for words, count in counts.items() if count) or "nothing yet"
    return f"Stopped. {out} contains: {there}. The same command starts again and uses these scenes and features."
