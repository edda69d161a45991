"""The demo: the whole method once, in minutes, on a machine without GPU, hub or data set.

It segments pictures by words with the bundled student, then draws unlabelled scenes, caches the teacher's features
of them, distils a student from scratch, and compares it with what there is. All of it goes into one report.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import platform
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import rich.box
import rich.table
import torch
from PIL import Image
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from zeroseg import __version__, baselines, report
from zeroseg.baselines import GridCrops, MaskCLIP
from zeroseg.drawing import overlay, save_image
from zeroseg.evaluation import Result, evaluate, open_dataset, tune_margin
from zeroseg.feature_cache import FeatureCache, build_cache, embed_views, read_square
from zeroseg.files import write_text_atomically
from zeroseg.images import load_image
from zeroseg.picturebook import draw_scene
from zeroseg.recipes import picturebook
from zeroseg.report import Html, Section
from zeroseg.segmentation import Segmentation
from zeroseg.segmenter import Segmenter, StudentEncoder
from zeroseg.student import Student
from zeroseg.student.weights import BUNDLED as STUDENT_FOLDER
from zeroseg.teacher import BUNDLED as TEACHER_FOLDER
from zeroseg.teacher import Teacher
from zeroseg.training.distill import DistillConfig, build_student, distill
from zeroseg.training.monitor import read_log
from zeroseg.views import ViewsConfig, grid_boxes

PICTURES = Path(__file__).parent / "pictures"
DATASET = "picturebook-voc"
REPORT = "report.html"
PROBED = 32  # images to measure the teacher's pace on, after as many to warm up
DRAWN_AT_ONCE = 100  # scenes that an interruption waits for
RECENT = 20  # records of the log that the last chart sums up


@dataclass(frozen=True)
class DemoConfig:
    """How much the demo does; the defaults take about seven minutes on two cores, three of them training."""

    recipe: DistillConfig = field(default_factory=picturebook)
    model: Path = STUDENT_FOLDER
    teacher: Path = TEACHER_FOLDER
    fewest_images: int = 300
    most_images: int = 3000
    caching_seconds: float = 75.0  # decides how many images between these two
    rehearsal_steps: int = 12  # of a throw-away student, to learn how many steps fit
    curve_points: int = 6
    curve_scenes: int = 60
    table_scenes: int = 150
    tuning_scenes: int = 40  # of the validation split: the margin is chosen on them


@dataclass(frozen=True)
class Shown:
    """A picture that was segmented, and what came out."""

    name: str
    alt: str
    labels: str
    image: Image.Image
    overlay: Image.Image
    segmentation: Segmentation


@dataclass(frozen=True)
class Lesson:
    """A student that was distilled from scratch, and how that went."""

    run: Path
    student: Student
    config: DistillConfig
    images: int
    seconds: float
    log: list[dict[str, Any]]


@dataclass(frozen=True)
class Row:
    """One line of the table: who segments, and how well."""

    name: str
    result: Result


def run(out: Path, minutes: float = 3.0, quiet: bool = False, config: DemoConfig | None = None) -> Path:
    """Give the demo, with about `minutes` minutes of training; returns the report's path.

    The folder `out` receives `pictures`, `images`, the cache, a run and the report; images and cache of a former
    demo are used again, the run is always a new one. Ctrl-C says what is there and goes on as `KeyboardInterrupt`.
    Raises `WeightsError`, `TeacherError`, `CacheError`, `TrainingError`, `OutputError`.
    """
    tell = Narrator(quiet)
    try:
        return _demonstrate(out, minutes, quiet, config or DemoConfig(), tell)
    except KeyboardInterrupt:
        tell.say(_what_is_there(out))
        raise


def _demonstrate(out: Path, minutes: float, quiet: bool, config: DemoConfig, tell: Narrator) -> Path:
    started = time.monotonic()
    tell.title("1  Pictures, segmented by words")
    bundled = Segmenter.from_pretrained(config.model, config.teacher)
    shown = segment_pictures(bundled, out / "pictures", tell)
    tell.title("2  A student learns from scratch")
    images = draw_images(out / "images", bundled.teacher, config, tell)
    cache = cache_features(images, bundled.teacher, config.recipe.views, out, tell)
    lesson = learn(images, cache, bundled.teacher, out, minutes, config, quiet, tell)
    tell.title("3  Side by side, on scenes that nobody has seen")
    rows = compare(lesson, cache, bundled, config, tell)
    tell.table(rows, config.table_scenes)
    commands = next_commands(lesson.run)
    html = compose(shown, lesson, rows, commands, bundled.teacher, config, time.monotonic() - started)
    write_text_atomically(out / REPORT, html)
    tell.title("Done")
    tell.say(f"The report, with pictures, curves and figures: {out / REPORT}")
    tell.say("Try next:")
    for words, command in commands:
        tell.say(f"  {words}\n    {command}")
    return out / REPORT


# --- 1: pictures by words -------------------------------------------------------------------------


def segment_pictures(segmenter: Segmenter, out: Path, tell: Narrator) -> list[Shown]:
    """Segment the pictures that ship with the package, each by its labels; overlays are written to `out`."""
    rows: list[dict[str, Any]] = json.loads((PICTURES / "pictures.json").read_text(encoding="utf-8"))
    shown: list[Shown] = []
    for row in rows:
        image = load_image(PICTURES / row["file"])
        segmentation = segmenter(image, row["labels"])
        painted = overlay(image, segmentation)
        save_image(painted, out / row["file"])
        tell.say(f"{row['file']}: {found(segmentation)}")
        shown.append(Shown(row["file"], row["alt"], row["labels"], image, painted, segmentation))
    tell.say(f"Overlays with legends are in {out}.")
    return shown


def found(segmentation: Segmentation) -> str:
    """The labels that occur with their shares, the largest first."""
    shares = [f"{segmentation.labels[k]} {segmentation.shares[k]:.0%}" for k in segmentation.present_indices]
    return ", ".join(shares)


# --- 2: a student from scratch --------------------------------------------------------------------


def draw_images(folder: Path, by: Teacher, config: DemoConfig, tell: Narrator) -> list[Path]:
    """As many unlabelled scenes as the teacher can embed in `caching_seconds`; those of a former demo are kept."""
    there = sorted(folder.glob("unlabelled-*.png"))[: config.most_images]
    if len(there) >= config.fewest_images:
        tell.say(f"{len(there):,} scenes of a former demo are in {folder}.")
        return there
    few = _draw(folder, range(min(2 * PROBED, config.fewest_images)))
    pace = embedding_pace(few, by, config.recipe.views)
    count = round(min(max(pace * config.caching_seconds, config.fewest_images), config.most_images))
    tell.say(
        f"The teacher embeds {len(config.recipe.views.boxes())} views each of {pace:.0f} images a second here: "
        f"{count:,} scenes, without any label, will do."
    )
    with tell.bar("drawing", count) as advance:
        for start in range(0, count, DRAWN_AT_ONCE):
            numbers = range(start, min(start + DRAWN_AT_ONCE, count))
            _draw(folder, numbers)
            advance(len(numbers))
    return [_image_path(folder, number) for number in range(count)]


def _draw(folder: Path, numbers: Sequence[int]) -> list[Path]:
    def draw(number: int) -> Path:
        path = _image_path(folder, number)
        if not path.exists():
            save_image(draw_scene("unlabelled", number).image, path)
        return path

    with ThreadPoolExecutor(4) as pool:  # the disk is slower than the pen: every file is flushed
        return list(pool.map(draw, numbers))


def _image_path(folder: Path, number: int) -> Path:
    return folder / f"unlabelled-{number:05d}.png"


def embedding_pace(images: Sequence[Path], by: Teacher, views: ViewsConfig) -> float:
    """How many images a second the teacher embeds with all their views; the first half of `images` warms it up."""
    squares = torch.stack([read_square(path.read_bytes(), views.side) for path in images]).float() / 255
    half = len(squares) // 2
    embed_views(by, views, squares[:half])
    started = time.perf_counter()
    embed_views(by, views, squares[half:])
    return (len(squares) - half) / (time.perf_counter() - started)


def cache_features(images: Sequence[Path], by: Teacher, views: ViewsConfig, out: Path, tell: Narrator) -> FeatureCache:
    """The teacher's embeddings of all views of all images, from a cache that is named after the teacher."""
    folder, started = out / f"cache-{by.fingerprint[:8]}", time.monotonic()
    with tell.bar("caching", len(images)) as advance:
        made = build_cache(images, by, views, folder, advance)
    seconds = time.monotonic() - started
    tell.say(f"Cached the views of {made.embedded:,} images in {seconds:.0f} s; {made.found:,} were there already.")
    return FeatureCache(folder)


def learn(
    images: Sequence[Path],
    cache: FeatureCache,
    by: Teacher,
    out: Path,
    minutes: float,
    config: DemoConfig,
    quiet: bool,
    tell: Narrator,
) -> Lesson:
    """Distil a student from scratch for about `minutes` minutes. An interruption becomes `KeyboardInterrupt`."""
    pace = seconds_a_step(images, cache, by, config)
    steps = max(2 * config.curve_points, round(60 * minutes / pace))
    loop = replace(
        config.recipe.loop,
        steps=steps,
        log_every=max(1, steps // 60),
        evaluate_every=math.ceil(steps / config.curve_points),
        checkpoint_every=steps,
    )
    recipe = replace(config.recipe, loop=loop)
    folder = free_run(out)
    tell.say(
        f"A step of {loop.batch_size} images takes {pace:.2f} s: {steps:,} steps, about {minutes:g} minutes and the "
        f"time for {config.curve_points} looks at {config.curve_scenes} held-out scenes."
    )
    validation = open_dataset(DATASET, "validation", config.tuning_scenes)
    held_out = open_dataset(DATASET, "held-out", config.curve_scenes)

    def judge(pupil: Student) -> dict[str, Any]:
        result = evaluate(tune_margin(_segmenter_of(pupil, by), validation), held_out)
        return {"miou": result.miou, "oracle_miou": result.oracle_miou, "margin": result.read_out.margin}

    started = time.monotonic()
    pupil = _uninterrupted(distill(images, cache, recipe, folder, by, judge, quiet=quiet))
    seconds = time.monotonic() - started
    pupil.config = replace(pupil.config, read_out=tune_margin(_segmenter_of(pupil, by), validation).read_out)
    pupil.save_pretrained(folder / "student")  # with its margin, so that `zeroseg evaluate` reads it alike
    return Lesson(folder, pupil, recipe, len(images), seconds, read_log(folder))


def seconds_a_step(images: Sequence[Path], cache: FeatureCache, by: Teacher, config: DemoConfig) -> float:
    """How long a step of the recipe takes here, from the second half of a short run that is thrown away."""
    loop = replace(config.recipe.loop, steps=config.rehearsal_steps, log_every=1)
    with TemporaryDirectory() as folder:
        run_folder = Path(folder) / "rehearsal"
        _uninterrupted(distill(images, cache, replace(config.recipe, loop=loop), run_folder, by, quiet=True))
        rates = [float(row["images_per_second"]) for row in read_log(run_folder)]
    late = rates[len(rates) // 2 :]
    return sum(loop.batch_size / max(rate, 1e-3) for rate in late) / len(late)


def _uninterrupted(pupil: Student | None) -> Student:
    if pupil is None:
        raise KeyboardInterrupt
    return pupil


def free_run(out: Path) -> Path:
    """A folder for the next run: `run-1`, `run-2`, ..."""
    return next(path for number in range(1, 10_000) if not (path := out / f"run-{number}").exists())


def _segmenter_of(pupil: Student, by: Teacher) -> Segmenter:
    return Segmenter(StudentEncoder(pupil), by, pupil.config.read_out)


# --- 3: side by side ------------------------------------------------------------------------------


def compare(lesson: Lesson, cache: FeatureCache, bundled: Segmenter, config: DemoConfig, tell: Narrator) -> list[Row]:
    """mIoU of the student before and after, of the bundled one, and of two read-outs of the teacher itself.

    Margins are tuned on validation scenes; the two trained students bring theirs.
    """
    by, side = bundled.teacher, lesson.config.student.inference_size
    untrained = build_student(lesson.config, cache, by).to(by.device).eval()
    validation = open_dataset(DATASET, "validation", config.tuning_scenes)
    held_out = open_dataset(DATASET, "held-out", config.table_scenes)
    candidates = {
        "student at the start": tune_margin(_segmenter_of(untrained, by), validation),
        f"student after {lesson.seconds / 60:.1f} minutes": _segmenter_of(lesson.student, by),
        "bundled student": bundled,
        "teacher, MaskCLIP-style": tune_margin(Segmenter(MaskCLIP(by, side), by, baselines.READ_OUT), validation),
        "teacher, 4 x 4 crops": tune_margin(Segmenter(GridCrops(by, side), by, baselines.READ_OUT), validation),
    }
    with tell.bar("evaluating", len(candidates) * len(held_out)) as advance:
        return [Row(name, evaluate(segmenter, held_out, advance)) for name, segmenter in candidates.items()]


def next_commands(run_folder: Path) -> list[tuple[str, str]]:
    """Three things to do next, each as (words, command)."""
    zeroseg = _program()
    return [
        ("Segment a picture of your own:", f'{zeroseg} segment photo.jpg --labels "dog, tree, sky"'),
        (
            "Evaluate the student that was just trained, on more scenes:",
            f"{zeroseg} evaluate --dataset {DATASET} --model {shlex.quote(str(run_folder / 'student'))}",
        ),
        (
            "Distil a student on your own images:",
            f"{zeroseg} cache my-images --recipe picturebook --out my-cache && "
            f"{zeroseg} distill --recipe picturebook --images my-images --cache my-cache --out my-run",
        ),
    ]


def _program() -> str:
    """How `zeroseg` is called from here: by name where the shell knows it, else by its path."""
    if shutil.which("zeroseg"):
        return "zeroseg"
    program = Path(sys.executable).parent / "zeroseg"
    with contextlib.suppress(ValueError):
        program = program.relative_to(Path.cwd())
    return str(program)


# --- the report -----------------------------------------------------------------------------------


def compose(
    shown: Sequence[Shown],
    lesson: Lesson,
    rows: Sequence[Row],
    commands: Sequence[tuple[str, str]],
    by: Teacher,
    config: DemoConfig,
    seconds: float,
) -> str:
    """The report as one HTML page."""
    start, end, bundled, *_ = (percent(row.result.miou) for row in rows)
    loop = lesson.config.loop
    lead = [
        report.paragraph(
            f"A student network looked at {lesson.images:,} unlabelled pictures for {lesson.seconds / 60:.1f} minutes "
            "and learnt to predict what a frozen CLIP, its teacher, says about crops of them. Nobody told it what is "
            "where; asked for words, it now says which pixels they name."
        ),
        report.chips(
            {
                "mIoU at the start, %": f"{start:.1f}",
                f"after {loop.steps:,} steps": f"{end:.1f}",
                "bundled student": f"{bundled:.1f}",
            }
            | {row.name: f"{percent(row.result.miou):.1f}" for row in rows[3:]}
        ),
    ]
    sections = [
        Section("Pictures, segmented by words", _pictures_part(shown)),
        Section("A student learns from scratch", _learning_part(lesson, rows, config)),
        Section("Side by side", _table_part(rows)),
        Section("Settings", (report.facts(settings(lesson, by, config, seconds)),)),
        Section("How to go on", _next_part(commands)),
    ]
    footer = f"Made by zeroseg {__version__} demo on {date.today().isoformat()}."
    return report.page("ZeroSeg: the whole method in minutes", sections, lead, footer)


def percent(share: float) -> float:
    """0..1 as 0..100."""
    return 100 * share


def _pictures_part(shown: Sequence[Shown]) -> tuple[Html, ...]:
    words = report.paragraph(
        "The bundled student and pictures that it never saw. What is asked for is only a line of words: synonyms, "
        "stuff such as water, and words for things that are not there may stand in it. What fits none is background."
    )
    pairs = [
        report.beside(
            [
                report.picture(one.image, one.name, one.alt),
                report.picture(
                    one.overlay,
                    f"Asked for: {one.labels}.",
                    f"{one.alt} Tinted by what the student found: {found(one.segmentation)}.",
                ),
            ]
        )
        for one in shown
    ]
    return (words, *pairs)


def _learning_part(lesson: Lesson, rows: Sequence[Row], config: DemoConfig) -> tuple[Html, ...]:
    log, weights = lesson.log, asdict(lesson.config.losses)
    references = {row.name: percent(row.result.miou) for row in rows[2:]}
    curve = [(step, percent(value)) for step, value in points(log, "miou")]
    return (
        report.paragraph(
            f"mIoU on {config.curve_scenes} held-out scenes while the student learns; the levels beside it are those "
            "of the table below."
        ),
        report.line_chart({"student": curve}, "steps", "mIoU in %", "Held-out mIoU", references, wide=True),
        report.paragraph(
            "The instruments show a collapse while it happens: tokens that all become the same (cosine 1), one segment "
            "that takes every patch, an assignment that never decides, all tokens near one and the same view."
        ),
        report.grid(
            [
                report.line_chart(
                    {name.replace("_", "-"): points(log, name) for name, weight in weights.items() if weight},
                    "steps",
                    "mean L1, before weights",
                    "Losses",
                ),
                *_instruments(log),
            ]
        ),
        report.bar_chart(
            nearest_by_grid(log, lesson.config.views),
            f"tokens, in the last {min(RECENT, len(points(log, 'loss')))} records",
            "Which view is nearest to a token?",
            "grid of the view",
            wide=True,
        ),
    )


def _instruments(log: Sequence[Mapping[str, Any]]) -> list[Html]:
    charts = {
        "token_cosine": ("Are a picture's tokens different?", "mean cosine between them"),
        "segments_in_use": ("Segments in use", "segments a picture that win a patch"),
        "assignment_entropy": ("How undecided are the masks?", "entropy, as a share of the largest"),
        "views_chosen": ("Different nearest views", "views a picture"),
        "gradient_norm": ("Length of the gradient", "norm, before it is cut"),
    }
    return [
        report.line_chart({label: points(log, key)}, "steps", label, title) for key, (title, label) in charts.items()
    ]


def points(log: Sequence[Mapping[str, Any]], key: str) -> list[report.Point]:
    """(steps done, value) of every record that has the figure."""
    return [(float(row["step"] + 1), float(row[key])) for row in log if key in row]


def nearest_by_grid(log: Sequence[Mapping[str, Any]], views: ViewsConfig) -> dict[str, list[float]]:
    """How often each local view was the nearest of some token in the last records, by the grid that it is from."""
    records = [row["nearest"] for row in log if "nearest" in row][-RECENT:]
    grids = [n for n in views.grids for _ in grid_boxes(views.side, n, views.overlapping)]
    local = [n for n, is_local in zip(grids, views.is_local(), strict=True) if is_local]
    totals = [float(sum(counts)) for counts in zip(*records, strict=True)] or [0.0] * len(local)
    by_grid: dict[str, list[float]] = {}
    for n, total in zip(local, totals, strict=True):
        by_grid.setdefault(f"{n} x {n}", []).append(total)
    return by_grid


def _table_part(rows: Sequence[Row]) -> tuple[Html, ...]:
    scenes, classes = rows[0].result.images, len(rows[0].result.classes) - 1
    cells = [
        (row.name, percent(row.result.miou), percent(row.result.oracle_miou), row.result.read_out.margin)
        for row in rows
    ]
    return (
        report.table(
            ("who segments", "mIoU, %", "ceiling, %", "margin"),
            cells,
            f"{scenes} held-out scenes, {classes} nouns and background. Ceiling: mIoU if every patch, segment or crop "
            "carried its most frequent class. Margin: by how much (cosine x 100) a label must beat the best background "
            "word; tuned on validation scenes, but for the bundled student's own.",
            strong=(1,),
        ),
    )


def settings(lesson: Lesson, by: Teacher, config: DemoConfig, seconds: float) -> dict[str, report.Cell]:
    """What was run, where and for how long."""
    recipe, loop = lesson.config, lesson.config.loop
    weights = {name: weight for name, weight in asdict(recipe.losses).items() if weight}
    return {
        "images": f"{lesson.images:,} scenes of the picturebook, unlabelled",
        "views": f"{len(recipe.views.boxes())} an image ({recipe.views.key})",
        "teacher": f"CLIP {by.fingerprint}, {_millions(by.model)} parameters, {by.width} dimensions",
        "student": f"{_millions(lesson.student)} parameters",
        "steps": f"{loop.steps:,} of {loop.batch_size} images, {loop.steps * loop.batch_size:,} in all",
        "losses": ", ".join(f"{weight:g} {name.replace('_', '-')}" for name, weight in weights.items()),
        "learning rate": f"{loop.optimiser.learning_rate:g}, warm-up and cosine",
        "training": f"{lesson.seconds / 60:.1f} minutes, looks at held-out scenes included",
        "whole demo": f"{seconds / 60:.1f} minutes",
        "margins": f"tuned on {config.tuning_scenes} validation scenes",
        "machine": f"{os.cpu_count()} cores, {torch.get_num_threads()} threads, {platform.platform(terse=True)}",
        "versions": f"zeroseg {__version__}, torch {torch.__version__}, Python {platform.python_version()}",
        "run": str(lesson.run),
    }


def _millions(model: torch.nn.Module) -> str:
    return f"{sum(weight.numel() for weight in model.parameters()) / 1e6:.2f} M"


def _next_part(commands: Sequence[tuple[str, str]]) -> tuple[Html, ...]:
    return (
        report.code(commands),
        report.paragraph(
            "The bundled weights know the picturebook and nothing else. For photos, take a CLIP from the hub as the "
            "teacher and your own images: the same commands, with --teacher."
        ),
    )


# --- what the person at the keyboard reads --------------------------------------------------------


class Narrator:
    """Plain sentences on the terminal, a bar for what takes long; nothing at all when quiet."""

    def __init__(self, quiet: bool = False) -> None:
        self._console = Console(quiet=quiet, highlight=False)

    def title(self, words: str) -> None:
        """A heading."""
        self._console.print(f"\n[bold]{words}[/bold]")

    def say(self, sentence: str) -> None:
        """A sentence of plain text."""
        self._console.print(sentence, markup=False, soft_wrap=True)

    @contextlib.contextmanager
    def bar(self, title: str, total: int) -> Generator[Callable[[int], None]]:
        """A progress bar while the block runs, on a terminal; yields the function that moves it on."""
        columns = (TextColumn(title), BarColumn(24), MofNCompleteColumn(), TimeRemainingColumn(compact=True))
        hidden = not self._console.is_terminal or self._console.quiet
        with Progress(*columns, console=self._console, transient=True, disable=hidden) as progress:
            task = progress.add_task(title, total=total)

            def advance(done: int) -> None:
                progress.advance(task, done)

            yield advance

    def table(self, rows: Sequence[Row], scenes: int) -> None:
        """mIoU of everybody."""
        shown = rich.table.Table(
            "who segments", title=f"mIoU on {scenes} held-out scenes, %", title_justify="left", box=rich.box.SIMPLE
        )
        shown.add_column("mIoU", justify="right")
        shown.add_column("ceiling", justify="right")
        for row in rows:
            cells = [f"{percent(value):.1f}" for value in (row.result.miou, row.result.oracle_miou)]
            shown.add_row(row.name, *cells)
        self._console.print(shown)


def _what_is_there(out: Path) -> str:
    kinds = {
        "pictures/*.png": "segmented pictures",
        "images/*.png": "drawn scenes",
        "cache-*": "feature cache",
        "run-*": "runs",
        REPORT: "report",
    }
    counts = {words: len(list(out.glob(pattern))) for pattern, words in kinds.items()}
    there = ", ".join(f"{count:,} {words}" for words, count in counts.items() if count) or "nothing yet"
    return (
        f"Stopped. In {out} there is: {there}. The same command begins again and uses the scenes and the features "
        "that are there."
    )
