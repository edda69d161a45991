"""Evaluation: data sets, one confusion matrix, the benchmark that runs a segmenter over a data set."""

from zeroseg.dataset_names import DATASETS
from zeroseg.evaluation.benchmark import Result, evaluate, tune_margin
from zeroseg.evaluation.dataset import Dataset, Sample
from zeroseg.evaluation.datasets import open_dataset, open_tuning_set
from zeroseg.evaluation.metrics import confusion_matrix, iou_per_class, mean_iou

__all__ = [
    "DATASETS", "Dataset", "Result", "Sample",
    "confusion_matrix", "evaluate", "iou_per_class", "mean_iou", "open_dataset", "open_tuning_set",
    "tune_margin",
]  # fmt: skip
