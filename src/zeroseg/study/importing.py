"""Answers from elsewhere: results of Mechanical Turk, a simple table, files of the page without a server.

Whatever does not belong to the study is refused with the line that has it, and then nothing of the file is stored.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from zeroseg.errors import DatasetError
from zeroseg.study.answers import Vote
from zeroseg.study.questions import SIDES, Key

SIMPLE = ("rater", "question", "answer")
WORKER, STATUS, REJECTED = "WorkerId", "AssignmentStatus", "Rejected"
LONGEST_NAME = 200
ASKED = re.compile(r"Input\.question_(\d+)")
SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}  # that tables have instead of commas


def read_answers(path: Path, key: Key, invited: Collection[str] = ()) -> list[Vote]:
    """The answers in a file. `invited`: the names of raters who have a link, in whose names no file may answer.

    A CSV file of Mechanical Turk has a line an assignment, with the columns `WorkerId`, `Input.question_K` and
    `Answer.answer_K` (or one for each side, `Answer.answer_K.left`, with true or false); rejected assignments are left
    out. A simple one has the columns `rater`, `question` and `answer`, left or right. A JSON file is what the page
    without a server lets people download.

    Raises `DatasetError` for a file that cannot be read, lacks a column, or has a question that the study does not
    have, an answer that is neither left nor right, no name of a rater, one of `invited`, or two answers of a rater to
    one question.
    """
    text = _text(path)
    given = _of_page(path, text, key) if path.suffix.lower() == ".json" else _of_table(path, text)
    now, lines = datetime.now(UTC).isoformat(timespec="seconds"), dict[tuple[str, str], int]()
    votes: list[Vote] = []
    for line, rater, question, answer in given:
        where = f"line {line} of {str(path)!r}"
        if not rater:
            raise DatasetError(f"{where} does not say who answers.")
        if not _is_a_name(rater):
            raise DatasetError(f"{where} has no name of a rater: it must be text of at most {LONGEST_NAME} letters.")
        if rater in invited:
            raise DatasetError(f"{where} answers as {rater!r}, who has a link: give this rater another name.")
        if question not in key.questions:
            raise DatasetError(f"{where} answers question {question!r}, which this study does not have.")
        if answer not in SIDES:
            raise DatasetError(f"{where} answers {answer!r} to question {question!r}: it must be left or right.")
        if (rater, question) in lines:
            first = lines[rater, question]
            raise DatasetError(
                f"{where} is the second answer of {rater!r} to question {question!r}, after line {first}."
            )
        lines[rater, question] = line
        votes.append(Vote(rater, question, answer, now))
    return votes


def _is_a_name(rater: str) -> bool:
    """Whether it is short, and text that can be written."""
    return len(rater) <= LONGEST_NAME and not any(letter == "\0" or "\ud800" <= letter <= "\udfff" for letter in rater)


Given = Iterator[tuple[int, str, str, str]]  # line, rater, question, answer


def _text(path: Path) -> str:
    """A file's text, with its line ends as they are. Raises `DatasetError`."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    except OSError as error:
        raise DatasetError(f"the answers in {str(path)!r} cannot be read: {error}.") from error
    if "\0" in text:  # UTF-16 without a mark at its beginning
        raise DatasetError(f"{str(path)!r} is no text in UTF-8: save it again, with the encoding UTF-8.")
    return text


def _of_table(path: Path, text: str) -> Given:
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    _check_separator(path, text)
    try:
        names = list(rows.fieldnames or [])
        if WORKER in names:
            yield from _of_mturk(path, rows, names)
        elif set(SIMPLE) <= set(names):
            for row in rows:
                rater, question, answer = (_cell(row, name).strip() for name in SIMPLE)
                yield rows.line_num, rater, question, answer
        else:
            raise DatasetError(
                f"line 1 of {str(path)!r} names neither WorkerId (Mechanical Turk) nor {', '.join(SIMPLE)}, with "
                "commas between them."
            )
    except csv.Error as error:
        raise DatasetError(f"line {rows.line_num + 1} of {str(path)!r} is no line of a table ({error}).") from error


def _check_separator(path: Path, text: str) -> None:
    """Raise `DatasetError` for a table that would be one, if its separator were a comma."""
    first = text.partition("\n")[0]
    for mark, words in SEPARATORS.items():
        names = {cell.strip(' \r"') for cell in first.split(mark)}
        if mark in first and (WORKER in names or set(SIMPLE) <= names):
            raise DatasetError(f"{str(path)!r} has {words} as the separator of its columns: save it with commas.")


def _of_mturk(path: Path, rows: csv.DictReader[str], names: list[str]) -> Given:
    numbers = [found[1] for name in names if (found := ASKED.fullmatch(name))]
    if not numbers:
        raise DatasetError(f"line 1 of {str(path)!r} has no column Input.question_1: it belongs to another project.")
    for row in rows:
        if _cell(row, STATUS) == REJECTED:
            continue
        for number in numbers:
            question = _cell(row, f"Input.question_{number}")
            if question:  # else it only fills the row
                answer = _chosen(row, f"Answer.answer_{number}")
                yield rows.line_num, _cell(row, WORKER).strip(), question, answer


def _chosen(row: Mapping[str, Any], column: str) -> str:
    """An answer in one column, or in two that say true or false."""
    if column in row:
        return _cell(row, column).strip()
    said = [side for side in SIDES if _cell(row, f"{column}.{side}").strip().lower() == "true"]
    return " and ".join(said)


def _cell(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    return value if isinstance(value, str) else ""


def _of_page(path: Path, text: str, key: Key) -> Given:
    try:
        content: Any = json.loads(text)
        study, rater, answers = content["study"], content["rater"], content["answers"].items()
        if not isinstance(rater, str):
            raise TypeError("a name is a text")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DatasetError(f"{str(path)!r} is no file of answers: it needs study, rater and answers.") from error
    if study != key.study:
        raise DatasetError(f"{str(path)!r} belongs to another study: leave it out.")
    lines = text.split("\n")
    for question, answer in answers:
        line = next((number for number, said in enumerate(lines, 1) if f'"{question}"' in said), 1)
        yield line, rater.strip(), question, str(answer)
