"""Studies for people who do not come by a link: Mechanical Turk's template and table, or a page without a server."""

from __future__ import annotations

import csv
import io
import math
import shutil
from collections.abc import Sequence
from dataclasses import replace
from html import escape
from itertools import cycle, islice, zip_longest
from pathlib import Path
from random import Random

from zeroseg.errors import DatasetError, OutputError
from zeroseg.files import atomic_folder, write_bytes_atomically, write_text_atomically
from zeroseg.study.questions import PICTURES, SIDES, Key, Legend, Question, Questions, read_key, read_questions
from zeroseg.study.voting_page import PAGES, file_page, untinted

TEMPLATE, TABLE, PAGE = "mturk.html", "mturk.csv", "index.html"
FIELDS = ("question", "picture", "left", "right", "left_names", "right_names")
WORDS = '<span class="wide">the {side} one</span><span class="narrow">the {place} one</span>'
LEFT, RIGHT = WORDS.format(side="left", place="upper"), WORDS.format(side="right", place="lower")
BLOCK = """<section role="group" aria-labelledby="asked_{k}">
<h2 id="asked_{k}"><small>{k} of {count}</small> {asked}</h2>
<div class="compared">
<div><img src="${{left_{k}}}" alt="The left segmentation"><ul>${{left_names_{k}}}</ul>
<label><input type="radio" name="answer_{k}" value="left" required> {left}</label></div>
<div class="picture"><img src="${{picture_{k}}}" alt="The picture"></div>
<div><img src="${{right_{k}}}" alt="The right segmentation"><ul>${{right_names_{k}}}</ul>
<label><input type="radio" name="answer_{k}" value="right" required> {right}</label></div>
</div>
</section>"""


def export_mturk(study: Path, out: Path, url: str, per_assignment: int) -> int:
    """Write `mturk.html`, `mturk.csv` and the pictures into the folder `out`; returns the number of rows.

    A row of the table is an assignment with at most `per_assignment` questions, at least one of them an attention check
    if the study has some. All rows have the same number of questions, and as few as that allows are asked twice; their
    second answers do not count. `url` is the address under which the pictures can be loaded. In Mechanical Turk,
    publish a batch with the study's `votes` as the number of workers for each task.

    Raises `DatasetError` if a row has no place for a question beside the check, or if `url` is no address of the web,
    and `OutputError` if `out` is not empty.
    """
    if not url.startswith(("https://", "http://")):
        raise DatasetError(f"pictures need an address that begins with https://, not {url!r}: see --url.")
    questions, key = read_questions(study), read_key(study)
    if per_assignment < 1 + bool(key.checks):
        raise DatasetError(f"an assignment needs a question beside its attention check: {per_assignment} are too few.")
    draw, by_id = Random(key.seed), questions.by_id()
    rows = [[by_id[name] for name in row] for row in assignments(key, per_assignment, draw)]
    most, real = max(map(len, rows)), [question for question in rows[0] if question.id not in key.checks]
    for row in rows:  # each needs all columns: those of rows that are too short show questions that do not count
        row += [replace(question, id="") for question in real[: most - len(row)]]
    page = _template(questions, most)
    with atomic_folder(out) as draft:
        _copy_pictures(study, draft, questions.questions)
        write_text_atomically(draft / TEMPLATE, page)
        write_bytes_atomically(draft / TABLE, _table(rows, most, url.rstrip("/")).encode())
    return len(rows)


def export_page(study: Path, out: Path) -> int:
    """Write a page that works without a server, with its pictures, into the folder `out`; returns the questions.

    People answer all questions and send the file that they download at the end, `answers-NAME.json`.
    Raises `OutputError` if `out` is not empty.
    """
    questions = read_questions(study)
    with atomic_folder(out) as draft:
        _copy_pictures(study, draft, questions.questions)
        write_text_atomically(draft / PAGE, file_page(questions))
    return len(questions.questions)


def assignments(key: Key, size: int, draw: Random) -> list[list[str]]:
    """Questions in random order, evenly divided into assignments of at most `size`, the longest first.

    All assignments have as many checks: one, or more if there is room and no check is asked twice. If there are fewer
    checks than assignments, they are asked again in others. Right answers on the left and on the right take turns.
    """
    count = math.ceil(len(key.real) / (size - bool(key.checks)))
    each, longer = divmod(len(key.real), count)
    room = size - each - bool(longer)
    checks = cycle(_in_turns(key, draw))
    per_row = min(room, max(1, len(key.checks) // count)) if key.checks else 0
    waiting, rows = iter(draw.sample(list(key.real), len(key.real))), list[list[str]]()
    for number in range(count):
        row = [*islice(waiting, each + (number < longer)), *islice(checks, per_row)]
        draw.shuffle(row)
        rows.append(row)
    return rows


def _in_turns(key: Key, draw: Random) -> list[str]:
    """The checks in random order, but with right answers left and right by turns as long as there are both."""
    sides = [[name for name in key.checks if key.questions[name].right_answer == side] for side in SIDES]
    shuffled = sorted((draw.sample(side, len(side)) for side in sides), key=len, reverse=True)
    return [name for turn in zip_longest(*shuffled) for name in turn if name is not None]


def _table(rows: Sequence[Sequence[Question]], most: int, url: str) -> str:
    written = io.StringIO(newline="")
    table = csv.writer(written)
    table.writerow([f"{field}_{k}" for k in range(1, most + 1) for field in FIELDS])
    for row in rows:
        cells: list[str] = []
        for question in row:
            cells += [question.id, *(f"{url}/{name}.jpg" for name in question.files)]
            cells += [_as_list(question.left_legend), _as_list(question.right_legend)]
        table.writerow(cells)
    return written.getvalue()


def _as_list(legend: Legend) -> str:
    """A legend as items of HTML, which the template shows as they are."""
    return "".join(
        f'<li><i style="background:{row.colour}"></i>{escape(row.label)} {row.fraction}</li>' for row in legend
    )


def _template(questions: Questions, count: int) -> str:
    """The source of a project whose assignments have `count` questions."""
    words = {"asked": escape(questions.asked), "count": count, "left": LEFT, "right": RIGHT}
    blocks = "\n".join(BLOCK.format(k=k, **words) for k in range(1, count + 1))
    slots = {
        "questions": blocks,
        "count": f"{count}",
        "labels": f"{questions.labels:,}",
        "untinted": untinted(questions),
    }
    page = (PAGES / TEMPLATE).read_text(encoding="utf-8")
    for name, text in slots.items():
        page = page.replace(f"[[{name}]]", text)
    return page


def _copy_pictures(study: Path, folder: Path, questions: Sequence[Question]) -> None:
    """Copy the pictures of questions. Raises `DatasetError` if one is missing."""
    (folder / PICTURES).mkdir()
    for name in (name for question in questions for name in question.files):
        picture = study / PICTURES / f"{name}.jpg"
        if not picture.is_file():
            raise DatasetError(f"{str(picture)!r} is missing: make the study again.")
        try:
            shutil.copyfile(picture, folder / PICTURES / picture.name)
        except OSError as error:
            raise OutputError(f"{picture.name!r} cannot be copied to {str(folder)!r}: {error.strerror}.") from error
