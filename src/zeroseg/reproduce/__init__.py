"""The paper's tables, at small and full scale: runs that are kept as records, and a page with the paper's figures."""

from zeroseg.reproduce.figures import draw_figures
from zeroseg.reproduce.paper_scale import PAPER
from zeroseg.reproduce.paper_table import Agreement, PaperTable, Scale, WordsTable, compare
from zeroseg.reproduce.picturebook_scale import PICTUREBOOK
from zeroseg.reproduce.results import write_results
from zeroseg.reproduce.study import prepare_study

SCALES: dict[str, Scale] = {scale.name: scale for scale in (PICTUREBOOK, PAPER)}

__all__ = [
    "SCALES",
    "Agreement",
    "PaperTable",
    "Scale",
    "WordsTable",
    "compare",
    "draw_figures",
    "prepare_study",
    "write_results",
]
