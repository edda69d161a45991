"""Human preference studies (table 2 of the paper): drawing and blinding, answers, statistics, a report.

The page for raters is in `app`, which needs the extra `web`, and is imported where it is served.
"""

from zeroseg.study.answers import Answers, Rater, Vote
from zeroseg.study.design import CHECK_EVERY, Planned, count_checks, plan_questions
from zeroseg.study.drafts import check_new, count_unfinished, unfinished
from zeroseg.study.exporting import export_mturk, export_page
from zeroseg.study.importing import read_answers
from zeroseg.study.questions import Key, Question, Questions, read_key, read_questions
from zeroseg.study.report import write_report
from zeroseg.study.results import PASSING
from zeroseg.study.sources import Photo, Segments, Sources, photos_of, sources_of_models, sources_of_results
from zeroseg.study.writing import PAPER_QUESTIONS, PAPER_VOTES, write_study

__all__ = [
    "CHECK_EVERY", "PAPER_QUESTIONS", "PAPER_VOTES", "PASSING",
    "Answers", "Key", "Photo", "Planned", "Question", "Questions", "Rater", "Segments", "Sources", "Vote",
    "check_new", "count_checks", "count_unfinished", "export_mturk", "export_page", "photos_of", "plan_questions",
    "read_answers", "read_key", "read_questions", "sources_of_models", "sources_of_results", "unfinished",
    "write_report", "write_study",
]  # fmt: skip
