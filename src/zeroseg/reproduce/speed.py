"""Timing runs: a comparison of the training speed of rows.

In every round each row takes one step, in one process, so that other work on the machine slows down all rows equally.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median, quantiles

import torch

from zeroseg.errors import DatasetError
from zeroseg.experiments import ExperimentContext, Run
from zeroseg.files import write_text_atomically
from zeroseg.training.distill import distillation_of
from zeroseg.training.optimiser import build_optimiser
from zeroseg.training.update import update
from zeroseg.versions import versions

ROUNDS = 20
WARM_UP = 2  # timing rounds that do not count


@dataclass(frozen=True)
class Speed:
    """Seconds of a training step, by row and round; its batch is in memory."""

    seconds: Mapping[str, list[float]]
    batch_size: int
    threads: int
    device: str
    versions: Mapping[str, str] = field(default_factory=versions)

    def speed_up(self, row: str, first: str) -> tuple[float, float, float] | None:
        """How much faster a row is than `first`, per cent: median, lower and upper quartile of the rounds.

        None if one of the two was not timed.
        """
        if row not in self.seconds or first not in self.seconds:
            return None
        rounds = zip(self.seconds[first], self.seconds[row], strict=True)
        ratios = [100 * (reference / seconds - 1) for reference, seconds in rounds]
        low, _, high = quantiles(ratios, n=4) if len(ratios) > 1 else (ratios[0],) * 3
        return median(ratios), low, high

    def covers(self, rows: Collection[str], rounds: int) -> bool:
        """Whether these rows were timed in at least `rounds` rounds."""
        return all(len(self.seconds.get(row, ())) >= rounds for row in rows)

    def write(self, path: Path) -> None:
        """Write a small JSON file. Raises `OutputError`."""
        values = asdict(self)
        rows = ",\n".join(f"  {json.dumps(row)}: {json.dumps(times)}" for row, times in values.pop("seconds").items())
        write_text_atomically(path, f'{json.dumps(values)[:-1]}, "seconds": {{\n{rows}\n}}}}\n')


def speed_path(records: Path, experiment: str) -> Path:
    """The file of the speed of an experiment's rows, next to the folder of its records."""
    return records / f"{experiment}-speed.json"


def read_speed(path: Path) -> Speed | None:
    """The speed in a file; None if there is no file. Raises `DatasetError` for a damaged one."""
    if not path.exists():
        return None
    try:
        speed = Speed(**json.loads(path.read_text(encoding="utf-8")))
        if len({len(times) for times in speed.seconds.values()}) != 1 or not all(map(min, speed.seconds.values())):
            raise ValueError("rows of different length, or without times")
        return speed
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise DatasetError(f"the speeds in {path} cannot be read: delete the file, and run the table again.") from error


def measure_speed(
    runs: Collection[Run],
    context: ExperimentContext,
    rounds: int = ROUNDS,
    progress: Callable[[int], None] = lambda _: None,
) -> Speed:
    """Time training steps of distillation runs, one step of each run in every round. Raises as `distill` does."""
    steps = {run.variant.name: _steps_of(run, context) for run in runs}
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(WARM_UP + rounds):
        for name, step in steps.items():
            took = _seconds(step, number)
            if number >= WARM_UP:
                seconds[name].append(round(took, 5))
            progress(1)
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    batch_size = next(iter(runs)).config.loop.batch_size
    return Speed(seconds, batch_size, torch.get_num_threads(), device)


def _steps_of(run: Run, context: ExperimentContext) -> Callable[[int], None]:
    """A function that takes a step of the run, always on the first batch."""
    config = run.config
    first = context.images[: config.loop.batch_size]
    objective = distillation_of(first, context.cache, config, context.teacher)
    batch = objective.batch(0).to(objective.student.target_mean.device)
    optimiser = build_optimiser(objective.model, config.loop.optimiser)

    def step(number: int) -> None:
        update(objective, optimiser, batch, number, is_logged=False)

    return step


def _seconds(step: Callable[[int], None], number: int) -> float:
    begun = time.perf_counter()
    step(number)
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - begun
