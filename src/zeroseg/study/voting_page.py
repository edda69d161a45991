"""The page on which people vote, as text: for the server, and as a folder that needs none."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path

from zeroseg.report.html import STYLE
from zeroseg.study.questions import NO_LABEL, PICTURES, UNTINTED, Question, Questions

PAGES = Path(__file__).parent / "pages"
SCRIPT = PAGES / "voting.js"
LINKED = '<link rel="icon" href="data:,">\n<link rel="stylesheet" href="/voting.css">'
INLINE_POLICY = "default-src 'none'; img-src 'self' file: data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


def served_page(questions: Questions, asked: Sequence[Question], answers: Mapping[str, str], votes: str) -> str:
    """A rater's page: what is asked, in order, and the answers so far; `votes` is the address that stores them."""
    data = _data(questions, asked, f"/{PICTURES}/", votes, answers)
    script = '<script src="/voting.js" defer></script>'
    return _filled("voting.html", questions, len(asked), {"head": LINKED, "script": script, "data": data})


def file_page(questions: Questions) -> str:
    """The page as a file beside the pictures, for people who answer without a server; all questions are asked."""
    data = _data(questions, questions.questions, f"{PICTURES}/", None, {})
    head = (
        f'<meta http-equiv="Content-Security-Policy" content="{INLINE_POLICY}">\n<link rel="icon" href="data:,">\n'
        f"<style>\n{voting_style()}</style>"
    )
    parts = {"head": head, "script": f"<script>\n{SCRIPT.read_text(encoding='utf-8')}</script>", "data": data}
    return _filled("voting.html", questions, len(questions.questions), parts)


def message_page(title: str, words: str) -> str:
    """A page that only says something."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n{LINKED}\n'
        f'<title>{escape(title)}</title>\n</head>\n<body>\n<main class="words"><h1>{escape(title)}</h1>'
        f"<p>{escape(words)}</p></main>\n</body>\n</html>\n"
    )


def voting_style() -> str:
    """The styles of reports, and those of voting."""
    return "".join(path.read_text(encoding="utf-8") for path in (STYLE, PAGES / "voting.css"))


def untinted(questions: Questions) -> str:
    """A sentence for raters, if there are segmentations with parts that have no name; else nothing."""
    rows = (row for one in questions.questions for row in (*one.left_legend, *one.right_legend))
    found = any(row.colour == UNTINTED for row in rows)
    return f" Where it says \u201c{NO_LABEL}\u201d, the picture has no tint." if found else ""


def _data(
    questions: Questions, asked: Sequence[Question], pictures: str, votes: str | None, answers: Mapping[str, str]
) -> str:
    content = {
        "study": questions.study,
        "pictures": pictures,
        "votes": votes,
        "questions": [asdict(question) for question in asked],
        "answers": answers,
    }
    return json.dumps(content, ensure_ascii=False).replace("<", "\\u003c")  # no label can end the script


def _filled(name: str, questions: Questions, count: int, parts: Mapping[str, str]) -> str:
    """A page with its slots filled; the data comes last, because a label may look like a slot."""
    page = (PAGES / name).read_text(encoding="utf-8")
    words = {
        "asked": escape(questions.asked),
        "count": f"{count:,}",
        "labels": f"{questions.labels:,}",
        "untinted": untinted(questions),
    }
    for mark, text in {**words, **parts}.items():
        page = page.replace(f"[[{mark}]]", text)
    return page
