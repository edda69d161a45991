"""The addresses of the server.

| address | what it does |
|---|---|
| `POST /v1/segment` | image and labels in, masks out |
| `POST /v1/embed`, `POST /v1/name` | encode an image once, name it many times |
| `POST /v1/export` | masks as a file in the format of another tool |
| `GET /v1/models` | the models |
| `GET /health/live`, `/health/ready`, `/metrics` | for those who watch over it |
| `GET /` | the page |
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from zeroseg.errors import ZeroSegError
from zeroseg.rules import Margin
from zeroseg.segmenter import Segmenter
from zeroseg.versions import ZEROSEG
from zeroseg.web import questions
from zeroseg.web.answers import (
    Kept,
    Masks,
    Models,
    ModelServed,
    Refusal,
    State,
    labels_found,
    maps,
    mask,
    named,
    reading,
)
from zeroseg.web.engine import Embedded, Engine
from zeroseg.web.exporting import exported, possible_formats
from zeroseg.web.guard import Door, Guard
from zeroseg.web.limits import Limits, RefusedError
from zeroseg.web.metrics import Counted, Metrics

Q = TypeVar("Q", bound=questions.Question)
PAGE = Path(__file__).parent / "page"
SHOWN = 20  # letters of a wrong method
SAMPLES = Path(__file__).parents[1] / "pictures" / "photos"
REFUSED: dict[int | str, dict[str, Any]] = {
    status: {"model": Refusal, "description": description}
    for status, description in (
        (400, "The request cannot be read."),
        (401, "The token is missing or wrong."),
        (403, "The request comes from a page of another site."),
        (404, "There is no such model or embedding."),
        (413, "The request or the image is too large."),
        (415, "The request has another type."),
        (421, "The request is for another host."),
        (422, "The request is not as it must be; the message says what to change."),
        (429, "Too many requests wait: come again after the seconds of Retry-After."),
        (503, "The answer took too long, or the server is ending."),
    )
}


@dataclass(frozen=True)
class Served:
    """What a server serves, to whom, and how much of it."""

    segmenters: Mapping[str, Segmenter]
    limits: Limits = field(default_factory=Limits)
    door: Door = field(default_factory=Door)


def application(served: Served) -> ASGIApp:
    """The server as an ASGI application."""
    metrics = Metrics()
    engine = Engine(served.segmenters, served.limits, metrics)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        async with engine.running():
            yield

    app = FastAPI(
        title="ZeroSeg",
        version=ZEROSEG,
        description="Masks by words. Images are never fetched from addresses: send the file.",
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    _say_errors(app)
    _naming(app, engine)
    _watching(app, engine, metrics)
    app.mount("/samples", StaticFiles(directory=SAMPLES))
    app.mount("/", StaticFiles(directory=PAGE, html=True))
    return Counted(Guard(app, served.door), metrics)


def _naming(app: FastAPI, engine: Engine) -> None:
    """The addresses of images and labels."""

    @app.post("/v1/segment", response_model=Masks, responses=REFUSED, openapi_extra=_body(questions.Segment, form=True))
    async def segment(request: Request) -> Masks:
        """Masks of an image for labels."""
        async with _asked(engine, request, questions.Segment) as (question, image):
            questions.vocabulary(question, engine.limits)  # before the image is decoded
            return await _masks(engine, question, await engine.embed(question.model, image))

    @app.post("/v1/embed", response_model=Kept, responses=REFUSED, openapi_extra=_body(questions.Embed, form=True))
    async def embed(request: Request) -> Kept:
        """Encode an image, and keep what was found, for `POST /v1/name`."""
        async with _asked(engine, request, questions.Embed) as (question, image):
            embedded = await engine.embed(question.model, image)
        height, width = embedded.encoded.size
        return Kept(embedding=engine.keep(embedded), model=embedded.model, width=width, height=height)

    @app.post("/v1/name", response_model=Masks, responses=REFUSED, openapi_extra=_body(questions.Name))
    async def name(request: Request) -> Masks:
        """Masks of an image that was embedded, for labels. The image is not encoded again."""
        async with _asked(engine, request, questions.Name) as (question, _):
            return await _masks(engine, question, engine.kept(question.embedding))

    files = {200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}}

    @app.post("/v1/export", responses={**REFUSED, **files}, openapi_extra=_body(questions.Export))
    async def export(request: Request) -> Response:
        """Masks as one file, or several in a ZIP archive."""
        async with _asked(engine, request, questions.Export) as (question, _):
            embedded = engine.kept(question.embedding)
            words = questions.vocabulary(question, engine.limits)
            segmenter = reading(engine.segmenters[embedded.model], question)
            found, _ = await engine.network(lambda: named(segmenter, embedded, words, question))
            file = await engine.elsewhere(lambda: exported(found, question.format, question.photo))
        headers = {"Content-Disposition": f'attachment; filename="{file.name}"'}
        return Response(file.content, media_type=file.media_type, headers=headers)

    _used(segment, embed, name, export)


@asynccontextmanager
async def _asked(engine: Engine, request: Request, kind: type[Q]) -> AsyncGenerator[tuple[Q, bytes]]:
    """A request that is admitted, and its image file. What a client no longer waits for is given up."""
    async with engine.admitted():
        try:
            question = await questions.asked(request, kind)
        except ClientDisconnect as error:
            raise _has_gone() from error
        listening, wanted = asyncio.create_task(_gone(request)), asyncio.timeout(None)
        try:
            async with wanted:
                listening.add_done_callback(lambda ended: ended.cancelled() or wanted.reschedule(0))
                yield question
        except TimeoutError as error:
            if not wanted.expired():
                raise
            raise _has_gone() from error
        finally:
            listening.cancel()


def _has_gone() -> RefusedError:
    """For the figures: nobody reads it."""
    return RefusedError(HTTPStatus.REQUEST_TIMEOUT, "gone", "the client has gone.")


async def _gone(request: Request) -> None:
    """Return when the client has gone; the request has been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _masks(engine: Engine, naming: questions.Naming, embedded: Embedded) -> Masks:
    """The answer with the masks of an image."""
    words = questions.vocabulary(naming, engine.limits)
    segmenter = reading(engine.segmenters[embedded.model], naming)
    found, judged = await engine.network(lambda: named(segmenter, embedded, words, naming))
    kept = ~judged.doubtful if naming.absent == "drop" else None
    shown = await engine.network(lambda: maps(segmenter, embedded, words, kept)) if naming.maps else None
    height, width = embedded.encoded.size
    return Masks(
        model=embedded.model,
        width=width,
        height=height,
        has_background=found.has_background,
        labels=labels_found(found, judged, naming.absent == "drop"),
        mask=await engine.elsewhere(lambda: mask(found, naming.mask)),
        maps=shown,
        notes=await engine.elsewhere(lambda: segmenter.unknown_words(words)),
    )


def _watching(app: FastAPI, engine: Engine, metrics: Metrics) -> None:
    """The addresses for those who watch over the server."""

    @app.get("/v1/models", responses={401: REFUSED[401], 421: REFUSED[421]})
    async def models() -> Models:
        """The models that are served; the first is the default."""
        found = [_described(name, one, engine.default) for name, one in engine.segmenters.items()]
        return Models(models=found, formats=possible_formats())

    @app.get("/health/live")
    async def live() -> State:
        """That the process answers."""
        return State(status="ok")

    @app.get("/health/ready", responses={503: {"model": State}})
    async def ready(response: Response) -> State:
        """Whether requests are accepted: no longer when the server is ending."""
        response.status_code = HTTPStatus.OK if engine.ready else HTTPStatus.SERVICE_UNAVAILABLE
        return State(status="ok" if engine.ready else "ending")

    @app.get("/metrics", response_class=Response)
    async def figures() -> Response:
        """Figures for Prometheus."""
        return Response(metrics.text(), media_type=metrics.content_type)

    _used(models, live, ready, figures)


def _described(name: str, segmenter: Segmenter, default: str) -> ModelServed:
    rule, known = segmenter.read_out.background, segmenter.teacher.known_words
    return ModelServed(
        name=name,
        default=name == default,
        background=rule.describe(),
        margin=rule.threshold if isinstance(rule, Margin) else None,
        words=len(known.names) if known is not None else None,
    )


def _say_errors(app: FastAPI) -> None:
    """All errors have one form: `answers.Refusal`."""

    async def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, RefusedError)
        return JSONResponse(error.body, int(error.status), error.headers)

    async def of_user(_: Request, error: Exception) -> Response:
        code = type(error).__name__.removesuffix("Error").lower()
        return JSONResponse(RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, code, str(error)).body, 422)

    async def of_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        status, headers = HTTPStatus(error.status_code), dict(error.headers or {})
        here = [route for route in app.routes if isinstance(route, APIRoute) and route.path == request.url.path]
        methods = [method for route in here for method in route.methods or ()]
        sentence = f"{status.phrase.lower()}."
        if methods and status in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED):  # also for GET: files have it
            status, headers["Allow"] = HTTPStatus.METHOD_NOT_ALLOWED, ", ".join(methods)
            sentence = f"this address takes {headers['Allow']}, not {request.method[:SHOWN]}."
        return JSONResponse(RefusedError(status, "http", sentence).body, status, headers)

    app.add_exception_handler(RefusedError, refused)
    app.add_exception_handler(ZeroSegError, of_user)
    app.add_exception_handler(HTTPException, of_http)


def _body(kind: type[questions.Question], form: bool = False) -> dict[str, Any]:
    """The description of a request's body for OpenAPI."""
    schema = kind.model_json_schema()
    schema = _inlined(schema, schema.pop("$defs", {}))
    content: dict[str, Any] = {"application/json": {"schema": schema}}
    if form:
        fields = {**schema["properties"], "image": {"type": "string", "format": "binary"}}
        if "labels" in fields:
            fields["labels"] = {"type": "string", "description": "Words with commas between them."}
        content["multipart/form-data"] = {"schema": {**schema, "properties": fields}}
    return {"requestBody": {"required": True, "content": content}}


def _inlined(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """A schema with the definitions in the places that refer to them."""
    if isinstance(schema, list):
        return [_inlined(part, definitions) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    return {name: _inlined(part, definitions) for name, part in schema.items()}


def _used(*_: object) -> None:
    """The functions are used by their decorators."""
