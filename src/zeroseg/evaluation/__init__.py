"""Evaluation: data sets, protocols, one confusion matrix, the benchmark that runs a segmenter over a data set."""

from zeroseg.dataset_names import DATASETS
from zeroseg.evaluation.account import Account, Tuned
from zeroseg.evaluation.background import Sweep, calibrate_margin, sweep, sweep_finely, tune_margin
from zeroseg.evaluation.benchmark import Result, evaluate
from zeroseg.evaluation.dataset import Dataset, Sample
from zeroseg.evaluation.datasets import open_dataset, open_tuning_set
from zeroseg.evaluation.metrics import confusion_matrix, iou_per_class, mean_iou
from zeroseg.evaluation.protocols import PROTOCOLS, Protocol, protocol_for

__all__ = [
    "DATASETS", "PROTOCOLS", "Account", "Dataset", "Protocol", "Result", "Sample", "Sweep", "Tuned",
    "calibrate_margin", "confusion_matrix", "evaluate", "iou_per_class", "mean_iou", "open_dataset", "open_tuning_set",
    "protocol_for", "sweep", "sweep_finely", "tune_margin",
]  # fmt: skip
