"""What a run needs, in lines: for `zeroseg cost` and `zeroseg distill --dry-run`."""

from __future__ import annotations

import shutil
from pathlib import Path

from zeroseg.training.costs import CORE_FLOPS, GPUS, UTILISATION, RunCost, cache_bytes, run_cost, tower_sizes
from zeroseg.training.distillation import DistillConfig
from zeroseg.views import ViewsConfig

GIGA = 1e9
UNITS = ((1e18, "EFLOP"), (1e15, "PFLOP"), (1e12, "TFLOP"), (1e9, "GFLOP"))
MOST_CORE_HOURS = 1000  # runs that need more are for GPUs


def cost_lines(config: DistillConfig, teacher: str, cached: bool, photos: int | None = None) -> list[str]:
    """Operations, hours, memory and disk of a run. `photos`: how many images there are, if that is known."""
    sizes = tower_sizes(teacher)
    cost, loop = run_cost(config, sizes, cached), config.loop
    learnt = None if photos is None else max(0, min(photos - config.probe, config.first_images or photos))
    return [
        f"the run: {loop.steps:,} steps of {loop.batch_size:,} images{_epochs(cost, learnt)}",
        f"  student: {cost.parameters:,} parameters, {cost.student_flops / GIGA:,.0f} GFLOP for an image of a step",
        *_of_teacher(config, cost, teacher, sizes is not None, photos),
        f"  in all {_operations(cost.flops)}: {_hours(cost.flops)}",
        f"  (at {UTILISATION:.0%} of the peak that their maker gives for bfloat16){_on_core(cost.flops)}",
        f"memory: about {cost.memory_bytes / GIGA:.1f} GB for weights, gradients, moments, the activations of "
        f"{-(-loop.batch_size // loop.micro_batches)} images and the teacher; 1 to 2 GB more for the rest",
        f"disk: checkpoint {cost.checkpoint_bytes / GIGA:.2f} GB, {'3 students of' if config.probe else 'student'} "
        f"{cost.student_bytes / GIGA:.2f} GB{_cache(cost, photos)}",
    ]


def cache_lines(images: int, views: ViewsConfig, teacher: str, folder: Path | None) -> list[str]:
    """What a cache needs: images, views, operations, hours and disk. `folder`: where it is to be, if that is known."""
    sizes, count = tower_sizes(teacher), len(views.boxes())
    lines = [f"the cache: {images:,} images, {count} views of each ({views.key}), {images * count:,} in all"]
    if sizes is None:
        return [*lines, f"the sizes of {teacher} are not known here, so that operations and disk are left out"]
    flops, each = count * sizes.flops(sizes.image_size), cache_bytes(sizes, views)
    lines.append(f"  {_operations(flops)} for an image, in all {_operations(flops * images)}: {_hours(flops * images)}")
    lines.append(f"  (at {UTILISATION:.0%} of the peak for bfloat16){_on_core(flops * images)}")
    lines.append(f"disk: {each / 1e3:,.0f} kB an image, {each * images / GIGA:,.2f} GB in all{_free(folder)}")
    return lines


def _free(folder: Path | None) -> str:
    if folder is None:
        return ""
    there = next(one for one in (folder.absolute(), *folder.absolute().parents) if one.exists())
    return f"; {shutil.disk_usage(there).free / GIGA:,.2f} GB are free there"


def _epochs(cost: RunCost, photos: int | None) -> str:
    if photos is None:
        return f", {cost.images:,} in all"
    return f", {cost.images / photos:,.1f} epochs of {photos:,}"


def _of_teacher(config: DistillConfig, cost: RunCost, name: str, is_known: bool, photos: int | None) -> list[str]:
    if not is_known:
        return [f"  teacher: the sizes of {name} are not known here, so that its operations are left out"]
    windows, views = config.windows, len(config.views.boxes())
    lines = list[str]()
    if config.losses.use_windows:
        count = windows.count(config.student.image_size)
        lines.append(
            f"  teacher, {count} window{'s' * (count > 1)} of {windows.side} pixels at most: "
            f"{cost.window_flops / GIGA:,.0f} GFLOP for an image of every step"
        )
    if config.losses.use_views:
        when = "in every step, without a cache"
        if cost.cached:
            when = "once, for the cache (not in the sum)"
            when += f": {photos:,} images{_on_core(photos * cost.view_flops)}" if photos else ""
        lines.append(f"  teacher, {views} views: {cost.view_flops / GIGA:,.0f} GFLOP for an image, {when}")
    return lines


def _operations(flops: float) -> str:
    exponent, unit = next(((power, unit) for power, unit in UNITS if flops >= power), UNITS[-1])
    return f"{flops / exponent:.3g} {unit}"


def _hours(flops: float) -> str:
    times = {gpu.name: _duration(gpu.hours(flops)) for gpu in GPUS}
    if len(set(times.values())) == 1:
        return f"{next(iter(times.values()))} on one {', '.join(times)}"
    return ", ".join(f"{time} on one {name}" for name, time in times.items())


def _on_core(flops: float) -> str:
    hours = flops / CORE_FLOPS / 3600
    if hours > MOST_CORE_HOURS:
        return ""
    return f", {_duration(hours)} on one CPU core (at {CORE_FLOPS / GIGA:,.0f} GFLOP a second)"


def _duration(hours: float) -> str:
    if hours >= 1:
        return f"{hours:,.1f} hours"
    minutes = round(60 * hours)
    return f"{minutes} minutes" if minutes > 1 else "a minute" if minutes else "less than a minute"


def _cache(cost: RunCost, photos: int | None) -> str:
    each = cost.cache_bytes_an_image
    if not each:
        return ""
    return f", cache {each / 1e3:,.0f} kB an image" + (f" ({each * photos / GIGA:.2f} GB)" if photos else "")
