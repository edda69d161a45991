"""The parts of a report's page: text, pictures, tables. Charts are in `charts.py`, styles in `style.css`.

Every function takes plain text and returns finished HTML, so all escaping is done here. The page loads no other
resource: styles are inline, pictures are data URIs, and its content security policy forbids everything else.
"""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from io import BytesIO
from pathlib import Path
from typing import NewType

from PIL import Image

Html = NewType("Html", str)  # finished and escaped: the functions of this package return it
Cell = str | int | float | None

STYLE = Path(__file__).parent / "style.css"
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
NOTHING = "\u2013"  # an en dash


@dataclass(frozen=True)
class Section:
    """A part of the page with its own heading."""

    title: str
    blocks: tuple[Html, ...]


def page(title: str, sections: Sequence[Section], lead: Sequence[Html] = (), footer: str = "") -> str:
    """The whole page as text, for a file in UTF-8."""
    links = "".join(f'<a href="#part-{k}">{escape(part.title)}</a>' for k, part in enumerate(sections, 1))
    parts = "".join(
        f'<section id="part-{k}"><h2><span class="number">{k}</span>{escape(part.title)}</h2>{"".join(part.blocks)}'
        "</section>\n"
        for k, part in enumerate(sections, 1)
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="color-scheme" content="light dark">\n<link rel="icon" href="data:,">\n'
        f"<title>{escape(title)}</title>\n<style>\n{STYLE.read_text(encoding='utf-8')}</style>\n</head>\n<body>\n"
        f'<header><h1>{escape(title)}</h1><div class="lead">{"".join(lead)}</div>'
        f'<nav aria-label="Contents">{links}</nav></header>\n<main>\n{parts}</main>\n'
        f"<footer>{escape(footer)}</footer>\n</body>\n</html>\n"
    )


def paragraph(text: str) -> Html:
    """A paragraph of plain text."""
    return Html(f"<p>{escape(text)}</p>")


def code(lines: Iterable[tuple[str, str]]) -> Html:
    """Commands to copy, each below a few words on what it does: (words, command)."""
    items = "".join(f"<li>{escape(words)}<pre><code>{escape(command)}</code></pre></li>" for words, command in lines)
    return Html(f'<ol class="commands">{items}</ol>')


def chips(figures: Mapping[str, str]) -> Html:
    """The most important figures in large letters: name -> value."""
    items = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in figures.items())
    return Html(f'<dl class="chips">{items}</dl>')


def facts(values: Mapping[str, Cell]) -> Html:
    """Settings and other small facts, one a line."""
    items = "".join(f"<dt>{escape(name)}</dt><dd>{escape(cell_text(value, 1))}</dd>" for name, value in values.items())
    return Html(f'<dl class="facts">{items}</dl>')


def grid(blocks: Iterable[Html]) -> Html:
    """Charts side by side, two in a row if there is room."""
    return Html(f'<div class="grid">{"".join(blocks)}</div>')


def beside(pictures: Iterable[Html]) -> Html:
    """Pictures side by side with the same height, or below each other if there is no room."""
    return Html(f'<div class="row">{"".join(pictures)}</div>')


def picture(image: Image.Image, caption: str, alt: str = "") -> Html:
    """A picture inside the page (JPEG); `alt` describes it for screen readers (default: the caption)."""
    buffer = BytesIO()
    image.convert("RGB").save(buffer, format="JPEG", quality=88, optimize=True)
    data = b64encode(buffer.getvalue()).decode()
    size = f'width="{image.width}" height="{image.height}"'
    shown = f'<img src="data:image/jpeg;base64,{data}" alt="{escape(alt or caption)}" {size}/>'
    ratio = f"--ratio: {image.width / image.height:.3f}"
    return Html(f'<figure class="picture" style="{ratio}">{shown}<figcaption>{escape(caption)}</figcaption></figure>')


def table(
    headers: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    caption: str = "",
    decimals: int = 1,
    strong: Iterable[int] = (),
) -> Html:
    """A table; the first column names the rows, numbers are right-aligned with `decimals` places, None is a dash.

    `strong`: the rows to highlight. Raises `ValueError` for a row that is not as long as the headers.
    """
    if any(len(row) != len(headers) for row in rows):
        raise ValueError(f"every row needs {len(headers)} cells, one for each header")
    numeric = [bool(rows) and all(not isinstance(row[k], str) for row in rows) for k in range(len(headers))]
    place = [' class="n"' if is_numeric else "" for is_numeric in numeric]
    head = "".join(f'<th scope="col"{kind}>{escape(name)}</th>' for name, kind in zip(headers, place, strict=True))
    chosen, body = set(strong), ""
    for number, cells_of_row in enumerate(rows):
        texts = [escape(cell_text(cell, decimals)) for cell in cells_of_row]
        cells = "".join(f"<td{kind}>{text}</td>" for text, kind in zip(texts[1:], place[1:], strict=True))
        first = f'<th scope="row">{texts[0]}</th>' if texts else ""
        kind = ' class="strong"' if number in chosen else ""
        body += f"<tr{kind}>{first}{cells}</tr>"
    label = escape(caption or "Table")
    return Html(
        f'<div class="table" role="region" tabindex="0" aria-label="{label}"><table>'
        f"{f'<caption>{label}</caption>' if caption else ''}<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
        "</table></div>"
    )


def cell_text(value: Cell, decimals: int) -> str:
    """A cell's value as text: whole numbers with separated thousands, others with `decimals` places."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return NOTHING
    if isinstance(value, str):
        return value
    return f"{value:,}" if isinstance(value, int) else f"{value:,.{decimals}f}"
