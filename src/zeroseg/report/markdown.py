"""A Markdown page as one self-contained HTML page: a section for each heading of the second level."""

from __future__ import annotations

import re
from base64 import b64encode
from html import unescape
from itertools import count
from mimetypes import guess_type
from pathlib import Path
from urllib.parse import unquote

from markdown_it import MarkdownIt

from zeroseg.report.html import Html, Section, page

HEADING = re.compile(r"<h2>(.*?)</h2>", re.DOTALL)
TITLE = re.compile(r"<h1>(.*?)</h1>", re.DOTALL)
PICTURE = re.compile(r'<p><img src="([^":]+)"([^>]*)></p>')
TABLE = re.compile("<table>")
TAG = re.compile(r"<[^>]+>")


def from_markdown(text: str, folder: Path, footer: str = "") -> str:
    """The page, with its pictures inside; their paths are relative to `folder`.

    The first heading of the first level is its title. Raises `OSError` for a missing picture.
    """
    body = MarkdownIt("commonmark").enable("table").render(text)
    body = PICTURE.sub(
        lambda found: (
            f'<figure class="picture"><img src="{_data(folder / unquote(unescape(found[1])))}"{found[2]}></figure>'
        ),
        body,
    )
    tables = count(1)  # regions need different names
    body = TABLE.sub(
        lambda _: f'<div class="table" role="region" tabindex="0" aria-label="Table {next(tables)}"><table>', body
    )
    body = body.replace("</table>", "</table></div>")
    title = TITLE.search(body)
    before, *rest = HEADING.split(body if title is None else body[title.end() :])
    sections = [
        Section(_plain(heading), (Html(content),)) for heading, content in zip(rest[::2], rest[1::2], strict=True)
    ]
    return page("" if title is None else _plain(title[1]), sections, (Html(before),), footer)


def _plain(html: str) -> str:
    return unescape(TAG.sub("", html))


def _data(path: Path) -> str:
    kind = guess_type(path.name)[0] or "application/octet-stream"
    return f"data:{kind};base64,{b64encode(path.read_bytes()).decode()}"
