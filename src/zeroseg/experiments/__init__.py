"""Experiments: named sets of short runs, kept as small records, and pages that are written from records only."""

from zeroseg.experiments.ablation import ABLATION
from zeroseg.experiments.design import Column, Experiment, Variant
from zeroseg.experiments.faithful import FAITHFUL
from zeroseg.experiments.page import by_variant, fill, setup_table, write_page
from zeroseg.experiments.photos import PHOTOS
from zeroseg.experiments.photos_tables import PHOTOS_TABLES
from zeroseg.experiments.records import Record, read_records
from zeroseg.experiments.running import ExperimentContext, Run, Scenes, plan, run_variant, train_run, trained_segmenter
from zeroseg.experiments.series import Outcome, run_missing, train_missing

EXPERIMENTS: dict[str, Experiment] = {
    experiment.name: experiment for experiment in (ABLATION, FAITHFUL, PHOTOS, PHOTOS_TABLES)
}

__all__ = [
    "EXPERIMENTS",
    "Column",
    "Experiment",
    "ExperimentContext",
    "Outcome",
    "Record",
    "Run",
    "Scenes",
    "Variant",
    "by_variant",
    "fill",
    "plan",
    "read_records",
    "run_missing",
    "run_variant",
    "setup_table",
    "train_missing",
    "train_run",
    "trained_segmenter",
    "write_page",
]  # fmt: skip
