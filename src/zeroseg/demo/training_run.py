"""The demo's second part: a student from scratch."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from zeroseg.demo.config import DATASET, DemoConfig
from zeroseg.demo.log import Log
from zeroseg.evaluation import evaluate, open_dataset, tune_margin
from zeroseg.feature_cache import FeatureCache, build_cache, embed_views
from zeroseg.picturebook.writing import write_scenes
from zeroseg.segmenter import Segmenter
from zeroseg.squares import square_of_file
from zeroseg.student import Student
from zeroseg.teacher import Teacher
from zeroseg.training.distill import distill
from zeroseg.training.distillation import DistillConfig
from zeroseg.training.loop import LoopConfig
from zeroseg.training.monitor import read_log
from zeroseg.views import ViewsConfig

SPLIT = "unlabelled"
PROBED = 32  # images to measure the teacher's speed, after as many to warm up


@dataclass(frozen=True)
class TrainingRun:
    """A student that was distilled from scratch, and its training."""

    run: Path
    student: Student
    config: DistillConfig
    images: int
    seconds: float
    rows: list[dict[str, Any]]  # of its log


def draw_images(folder: Path, by: Teacher, config: DemoConfig, log: Log) -> list[Path]:
    """As many unlabelled scenes as the teacher can embed in `caching_seconds`; those of an earlier demo are kept."""
    there = _scenes_in(folder)[: config.most_images]
    if len(there) >= config.fewest_images:
        log.say(f"{len(there):,} scenes of an earlier demo are in {folder}.")
        return there
    write_scenes(folder, SPLIT, range(min(2 * PROBED, config.fewest_images)))
    pace = embedding_pace(_scenes_in(folder)[: 2 * PROBED], by, config.recipe.views)
    count = round(min(max(pace * config.caching_seconds, config.fewest_images), config.most_images))
    log.say(
        f"The teacher embeds {len(config.recipe.views.boxes())} views each of {pace:.1f} images a second here: "
        f"{count:,} scenes, without any label, are drawn."
    )
    with log.bar("drawing", count) as advance:
        write_scenes(folder, SPLIT, range(count), progress=advance)
    return _scenes_in(folder)[:count]


def _scenes_in(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"{SPLIT}-*.png"))


def embedding_pace(images: Sequence[Path], by: Teacher, views: ViewsConfig) -> float:
    """How many images a second the teacher embeds with all their views; the first half of `images` warms it up."""
    squares = torch.stack([square_of_file(path, views.side) for path in images]).float() / 255
    half = len(squares) // 2
    embed_views(by, views, squares[:half])
    started = time.perf_counter()
    embed_views(by, views, squares[half:])
    return (len(squares) - half) / (time.perf_counter() - started)


def cache_features(images: Sequence[Path], by: Teacher, views: ViewsConfig, out: Path, log: Log) -> FeatureCache:
    """The teacher's embeddings of all views of all images, from a cache that is named after the teacher."""
    folder, started = out / f"cache-{by.fingerprint[:8]}", time.monotonic()
    with log.bar("caching", len(images)) as advance:
        made = build_cache(images, by, views, folder, advance)
    seconds = time.monotonic() - started
    log.say(f"Cached the views of {made.embedded:,} images in {seconds:.0f} s; {made.found:,} were cached already.")
    return FeatureCache(folder)


def learn(
    images: Sequence[Path], cache: FeatureCache, by: Teacher, out: Path, minutes: float, config: DemoConfig, log: Log
) -> TrainingRun:
    """Distil a student from scratch for about `minutes` minutes. An interruption becomes `KeyboardInterrupt`."""
    pace = seconds_a_step(images, cache, by, config)
    recipe = replace(config.recipe, loop=_loop_of(minutes, pace, config))
    folder = free_run(out)
    log.say(
        f"A step of {recipe.loop.batch_size} images takes {pace:.2f} s: {recipe.loop.steps:,} steps, about {minutes:g} "
        f"minutes, plus {config.curve_points} evaluations on {config.curve_scenes} held-out scenes."
    )
    validation = open_dataset(DATASET, "validation", config.tuning_scenes)
    held_out = open_dataset(DATASET, "held-out", config.curve_scenes)

    def validate(student: Student) -> dict[str, Any]:
        quick = tune_margin(Segmenter.of(student, by).reading(refinement=0), validation)
        result = evaluate(quick.reading(refinement=student.config.read_out.refinement), held_out)
        return {
            "miou": result.miou,
            "upper_bound_miou": result.upper_bound_miou,
            "margin": result.read_out.background.threshold,
        }

    started = time.monotonic()
    student = _uninterrupted(distill(images, cache, recipe, folder, by, validate, quiet=log.quiet))
    seconds = time.monotonic() - started
    student.config = replace(student.config, read_out=tune_margin(Segmenter.of(student, by), validation).read_out)
    student.save_pretrained(folder / "student")  # with its margin, so that `zeroseg evaluate` uses the same one
    return TrainingRun(folder, student, recipe, len(images), seconds, read_log(folder))


def _loop_of(minutes: float, pace: float, config: DemoConfig) -> LoopConfig:
    """The recipe's loop with as many steps as fit into `minutes` at `pace` seconds a step."""
    steps = max(2 * config.curve_points, round(60 * minutes / pace))
    return replace(
        config.recipe.loop,
        steps=steps,
        log_every=max(1, steps // 60),
        evaluate_every=math.ceil(steps / config.curve_points),
        checkpoint_every=steps,
    )


def seconds_a_step(images: Sequence[Path], cache: FeatureCache, by: Teacher, config: DemoConfig) -> float:
    """Seconds for a step of the recipe on this machine, from the second half of a short timing run."""
    loop = replace(config.recipe.loop, steps=config.timing_steps, log_every=1)
    with TemporaryDirectory() as folder:
        run_folder = Path(folder) / "timing"
        _uninterrupted(distill(images, cache, replace(config.recipe, loop=loop), run_folder, by, quiet=True))
        rates = [float(row["images_per_second"]) for row in read_log(run_folder)]
    late = rates[len(rates) // 2 :]
    return sum(loop.batch_size / max(rate, 1e-3) for rate in late) / len(late)


def _uninterrupted(student: Student | None) -> Student:
    if student is None:
        raise KeyboardInterrupt
    return student


def free_run(out: Path) -> Path:
    """A folder for the next run: `run-1`, `run-2`, ..."""
    return next(path for number in range(1, 10_000) if not (path := out / f"run-{number}").exists())
