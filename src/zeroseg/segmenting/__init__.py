"""Many photos by many words: where results go, which stand already, reading ahead, writing, a summary, a report."""

from zeroseg.segmenting.places import MASK, OVERLAY, RECORD, Places, without_results
from zeroseg.segmenting.results import Settings
from zeroseg.segmenting.run import Run
from zeroseg.segmenting.shared_files import SharedFiles
from zeroseg.segmenting.summary import Summary
from zeroseg.segmenting.tasks import Outcome, Wanted

__all__ = [
    "MASK",
    "OVERLAY",
    "RECORD",
    "Outcome",
    "Places",
    "Run",
    "Settings",
    "SharedFiles",
    "Summary",
    "Wanted",
    "without_results",
]
