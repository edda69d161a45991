"""The config of the demo."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from zeroseg.models import BUNDLED
from zeroseg.recipes import picturebook
from zeroseg.training.distillation import DistillConfig

DATASET = "picturebook-voc"


@dataclass(frozen=True)
class DemoConfig:
    """Models and sizes of the demo; the defaults take about six minutes on two cores, three of them for training."""

    recipe: DistillConfig = field(default_factory=picturebook)
    photos: str | Path | None = "photos"  # the student that segments the photos; None: the demo has no photos
    model: Path = BUNDLED["picturebook"].student
    teacher: Path = BUNDLED["picturebook"].teacher
    fewest_images: int = 300
    most_images: int = 3000
    caching_seconds: float = 75.0  # decides the number of images, between these two
    timing_steps: int = 12  # steps of a timing run, to find how many steps fit
    curve_points: int = 6
    curve_scenes: int = 60
    table_scenes: int = 150
    tuning_scenes: int = 40  # of the validation split: the margin is tuned on them
