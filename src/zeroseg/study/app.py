"""The page on which invited people vote, as an application of Starlette: no server, no checks of hosts.

`/r/TOKEN` is a rater's page with all questions that the rater is asked; `PUT /r/TOKEN/votes/QUESTION` stores an answer.
Pictures have random names, and no response says which model a side is, or which questions are attention checks.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from zeroseg.errors import DatasetError
from zeroseg.study.answers import Answers
from zeroseg.study.questions import PICTURES, SIDES
from zeroseg.study.voting_page import SCRIPT, message_page, served_page, voting_style

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PAGE_HEADERS = {"Content-Security-Policy": POLICY, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
LONG = {"Cache-Control": "private, max-age=86400"}
MOST_BYTES = 1000  # of a vote
LOG = logging.getLogger(__name__)
Endpoint = Callable[[Request], Awaitable[Response]]


def app(folder: Path) -> Starlette:
    """The application for the study in a folder. Raises `DatasetError`."""
    answers = Answers(folder)
    routes = [
        Route("/", _front),
        Route("/r/{token}", _rater_page(answers)),
        Route("/r/{token}/votes/{question}", _vote(answers), methods=["PUT"]),
        Route("/pictures/{name}.jpg", _picture(answers)),
        Route("/voting.css", _text(voting_style(), "text/css")),
        Route("/voting.js", _text(SCRIPT.read_text(encoding="utf-8"), "text/javascript")),
    ]
    handlers = {HTTPStatus.NOT_FOUND.value: _nothing_here, DatasetError: _not_now, ClientDisconnect: _gone}
    return Starlette(routes=routes, exception_handlers=handlers)


async def _front(_: Request) -> Response:
    return _page(message_page("A study of segmentations", "To take part, open the link that you were given."))


async def _nothing_here(_: Request, __: Exception) -> Response:
    words = "There is no such page. Open the whole link that you were given."
    return _page(message_page("Nothing is here", words), HTTPStatus.NOT_FOUND)


async def _not_now(request: Request, error: Exception) -> Response:
    """The answers cannot be read or written, for example because the disk is full. The page sends votes again."""
    LOG.error("%s", error)
    words = "The study cannot be reached just now. Come again later, with the same link."
    if request.method == "PUT":
        return _refused(HTTPStatus.SERVICE_UNAVAILABLE, "this answer cannot be stored just now: send it again.")
    return _page(message_page("Come again later", words), HTTPStatus.SERVICE_UNAVAILABLE)


async def _gone(_: Request, __: Exception) -> Response:
    return _refused(HTTPStatus.REQUEST_TIMEOUT, "the client has gone.")  # nobody reads it


def _rater_page(answers: Answers) -> Endpoint:
    questions = answers.questions.by_id()

    async def page(request: Request) -> Response:
        token = request.path_params["token"]
        asked = await run_in_threadpool(answers.asked, token)
        if asked is None:
            return await _nothing_here(request, KeyError())
        given = {name: side for name, side in asked.items() if side is not None}
        return _page(served_page(answers.questions, [questions[name] for name in asked], given, f"/r/{token}/votes/"))

    return page


def _vote(answers: Answers) -> Endpoint:
    async def vote(request: Request) -> Response:
        token, question = request.path_params["token"], request.path_params["question"]
        side = _side(await _body(request))
        if side not in SIDES:
            return _refused(HTTPStatus.BAD_REQUEST, 'an answer is {"side": "left"} or {"side": "right"}.')
        if not await run_in_threadpool(answers.vote, token, question, side):
            return _refused(HTTPStatus.NOT_FOUND, "this rater is not asked this question.")
        return JSONResponse({"side": side}, headers={"Cache-Control": "no-store"})

    return vote


def _picture(answers: Answers) -> Endpoint:
    names = {name for question in answers.questions.questions for name in question.files}

    async def picture(request: Request) -> Response:
        name = request.path_params["name"]
        path = answers.folder / PICTURES / f"{name}.jpg"
        if name not in names or not path.is_file():
            return await _nothing_here(request, KeyError())
        return FileResponse(path, media_type="image/jpeg", headers=LONG)

    return picture


def _text(content: str, kind: str) -> Endpoint:
    async def text(_: Request) -> Response:
        return Response(content, media_type=kind, headers={"Cache-Control": "no-cache"})

    return text


async def _body(request: Request) -> bytes:
    """The body of a vote; nothing if it is too long."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            return b""
    return body


def _side(body: bytes) -> Any:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return content.get("side") if isinstance(content, dict) else None


def _page(content: str, status: HTTPStatus = HTTPStatus.OK) -> Response:
    return HTMLResponse(content, status, headers=PAGE_HEADERS)


def _refused(status: HTTPStatus, words: str) -> Response:
    return JSONResponse({"error": words}, status, headers={"Cache-Control": "no-store"})
