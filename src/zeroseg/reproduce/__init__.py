"""The paper's tables in the small: runs kept as records, and a page that sets the paper's figures beside ours."""

from zeroseg.reproduce.paper_table import Agreement, PaperTable, compare
from zeroseg.reproduce.results import write_results
from zeroseg.reproduce.trained_tables import TRAINED

__all__ = ["TRAINED", "Agreement", "PaperTable", "compare", "write_results"]
