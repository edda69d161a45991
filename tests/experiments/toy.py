"""An experiment that trains in a second, and records that were never trained."""

from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.tiny import STUDENT, VIEWS, teacher, write_photos
from zeroseg.experiments import Column, Experiment, ExperimentContext, Record, Scenes, Variant, changes
from zeroseg.experiments.records import settings_of
from zeroseg.feature_cache import FeatureCache, build_cache
from zeroseg.rules import Margin
from zeroseg.student.config import ReadOut
from zeroseg.training.distillation import DistillConfig
from zeroseg.training.loop import LoopConfig

VOC = "picturebook-voc"
LOOP = LoopConfig(steps=4, batch_size=2, workers=0, precision="fp32")
CONFIG = DistillConfig(student=replace(STUDENT, read_out=ReadOut(refinement=1)), views=VIEWS, loop=LOOP)
PROSE = "# Toy\n\n{legend}\n\n{setup}\n\n{missing}\n\n{table}\n\n{training}\n\n{curves}\n\n{cost}\n\n{command}\n"


def experiment(folder: Path, config: DistillConfig = CONFIG) -> Experiment:
    """Two variants in two groups, two readings."""
    template = folder / "toy-prose.md"
    template.write_text(PROSE, encoding="utf-8")
    return Experiment(
        name="toy",
        recipe=lambda: config,
        base=Variant("base", "as it is"),
        groups={
            "Targets": (Variant("centred", "centred targets", changes.settings(centre=True)),),
            "Batch": (Variant("batch-1", "one image at a time", changes.batch_size(1)),),
        },
        readings={"product": {}, "margin": {"background": Margin()}},
        columns=(
            Column("mIoU", VOC, "product"),
            Column("upper bound", VOC, "product", "upper_bound_miou"),
            Column("refined", VOC, "product", refined=True),
            Column("margin", VOC, "margin"),
            Column("margin, refined", VOC, "margin", refined=True),
        ),
        template=template,
    )


def context(folder: Path) -> ExperimentContext:
    """Six cached photos, one scene of each split."""
    (folder / "photos").mkdir()
    photos = write_photos(folder / "photos", 6)
    build_cache(photos, teacher(), VIEWS, folder / "cache")
    cache = FeatureCache(folder / "cache")
    return ExperimentContext(
        photos, cache, teacher(), "tiny", folder / "runs", folder / "records", Scenes(1, 1), quiet=True
    )


@contextmanager
def silent(_title: str, _total: int, _unit: str):
    """Progress that nobody sees."""
    yield lambda _: None


def record(variant: str = "base", seed: int = 0, miou: float = 0.5, **changed: Any) -> Record:
    """A record of the toy experiment, with figures to reckon with."""
    config = replace(CONFIG, loop=replace(LOOP, seed=seed))
    figures = {"miou": miou, "upper_bound_miou": 0.8}
    values: dict[str, Any] = {
        "experiment": "toy",
        "variant": variant,
        "seed": seed,
        "settings": settings_of(config, "cafe", 6, {"validation": 1, "held-out": 1}),
        "samples": 8,
        "minutes": 1.0 + seed,
        "images_per_second": 100.0,
        "versions": {"torch": "2"},
        "curve": {
            "training": {"step": [1, 4], "token_cosine": [0.25 * (1 + seed), 1.0], "segments_in_use": [3.0, 1.0]},
            "validation": {"step": [0, 4], "miou": [0.1, miou], "upper_bound_miou": [0.2, 0.8]},
        },
        "scores": {split: {VOC: {"product": figures}} for split in ("validation", "held-out")},
    }
    return Record(**values | changed)
