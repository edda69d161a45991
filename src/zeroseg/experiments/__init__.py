"""Experiments: named sets of short runs, kept as small records, and pages that are written from the records alone."""

from zeroseg.experiments.ablation import ABLATION
from zeroseg.experiments.design import Column, Experiment, Variant
from zeroseg.experiments.faithful import FAITHFUL
from zeroseg.experiments.page import by_variant, fill, setup_table, write_page
from zeroseg.experiments.records import Record, read_records
from zeroseg.experiments.running import Laboratory, Run, Scenes, carry_out, plan, train_run, trained_segmenter

EXPERIMENTS: dict[str, Experiment] = {experiment.name: experiment for experiment in (ABLATION, FAITHFUL)}

__all__ = [
    "EXPERIMENTS",
    "Column",
    "Experiment",
    "Laboratory",
    "Record",
    "Run",
    "Scenes",
    "Variant",
    "by_variant",
    "carry_out",
    "fill",
    "plan",
    "read_records",
    "setup_table",
    "train_run",
    "trained_segmenter",
    "write_page",
]  # fmt: skip
