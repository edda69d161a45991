"""Evaluation: data sets, protocols, metrics from one confusion matrix, and benchmarks of segmenters on data sets."""

from zeroseg.dataset_names import DATASETS
from zeroseg.evaluation.benchmark import Result, evaluate
from zeroseg.evaluation.dataset import Dataset, Sample
from zeroseg.evaluation.datasets import open_dataset, open_tuning_set
from zeroseg.evaluation.measuring import Counting, Measurement, OtherImages, checked, measure, under_protocol
from zeroseg.evaluation.metrics import confusion_matrix, iou_per_class, mean_iou
from zeroseg.evaluation.protocols import PROTOCOLS, Protocol, protocol_for
from zeroseg.evaluation.record import EvaluationRecord, Tuned
from zeroseg.evaluation.thresholds import Sweep, calibrate_margin, sweep, sweep_finely, tune_margin

__all__ = [
    "DATASETS", "PROTOCOLS", "Counting", "Dataset", "EvaluationRecord", "Measurement", "OtherImages", "Protocol",
    "Result", "Sample", "Sweep", "Tuned", "calibrate_margin", "checked", "confusion_matrix", "evaluate",
    "iou_per_class", "mean_iou", "measure", "open_dataset", "open_tuning_set", "protocol_for", "sweep",
    "sweep_finely", "tune_margin", "under_protocol",
]  # fmt: skip
