"""Evaluation: data sets, one confusion matrix, the benchmark that runs a segmenter over a data set."""

from zeroseg.evaluation.background import Sweep, calibrate_margin, sweep, tune_margin
from zeroseg.evaluation.benchmark import Result, evaluate
from zeroseg.evaluation.dataset import Dataset, Sample
from zeroseg.evaluation.datasets import DATASETS, open_dataset
from zeroseg.evaluation.metrics import confusion_matrix, iou_per_class, mean_iou

__all__ = [
    "DATASETS", "Dataset", "Result", "Sample", "Sweep",
    "calibrate_margin", "confusion_matrix", "evaluate", "iou_per_class", "mean_iou", "open_dataset", "sweep",
    "tune_margin",
]  # fmt: skip
