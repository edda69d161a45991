"""Requests as values: what is asked for, checked before anything is computed."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import UploadFile
from starlette.requests import ClientDisconnect, Request

from zeroseg.method_names import FormatName
from zeroseg.vocabulary import Vocabulary, merged_vocabulary, parse_labels
from zeroseg.web.limits import Limits, RefusedError

Q = TypeVar("Q", bound="Question")
IMAGE, LABELS = "image", "labels"
COSINES = 200.0  # the largest margin, cosine x 100
SHOWN = 200  # letters of what is wrong
MOST_WORDS = 10_000  # that are looked at, whatever the limits of the server
MOST_VALUES = 100_000  # of a JSON text: an image is one
LONGEST = 1_000_000  # letters of all labels of a form
PLAIN = {  # what pydantic calls an error -> how people say it
    "missing": "this field is missing",
    "extra_forbidden": "there is no such field",
    "too_short": "name at least one",
}


class Question(BaseModel):
    """A request without unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Word(Question):
    """A label with other words for it: the best of them counts."""

    label: str
    others: list[str] = Field(default=[], max_length=MOST_WORDS)


class Embed(Question):
    """An image to encode. In JSON the file is base64; in a form it is the file itself."""

    image: str = Field(description="The image file, base64.")
    model: str | None = Field(None, description="One of GET /v1/models; by default the first.")


class Naming(Question):
    """What to look for, and how."""

    labels: list[str | Word] = Field(
        min_length=1, max_length=MOST_WORDS, description="Words, or labels with other words for them."
    )
    absent: Literal["drop", "keep"] = Field(
        "drop", description="Labels of which it is doubtful that they are in the image get no area, or may."
    )
    margin: float | None = Field(
        None, ge=-COSINES, le=COSINES, description="How much a label must lead the background, cosine x 100."
    )
    refine: bool = Field(True, description="Whether masks follow the edges of the image.")
    mask: Literal["png", "runs"] = Field(
        "png", description="A PNG with a palette, base64; or numbers and lengths of runs, row by row."
    )
    longest: int | None = Field(
        None, ge=1, description="The longer side of the mask at most, in pixels; by default the image's own."
    )
    maps: bool = Field(False, description="Also the scores of labels on the grid of patches.")


class Segment(Embed, Naming):
    """An image, and what to look for in it."""


class Name(Naming):
    """What to look for in an image that was embedded."""

    embedding: str = Field(description="From POST /v1/embed.")


class Export(Name):
    """Masks as a file in the format of another tool."""

    format: FormatName
    photo: str = Field("image.jpg", max_length=1000, description="The name of the photo in the file, cut to 200 bytes.")


async def asked(request: Request, kind: type[Q]) -> tuple[Q, bytes]:
    """A request, from a form or from JSON, and its image file. Raises `RefusedError` (4xx) and `ClientDisconnect`."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media == "multipart/form-data" and IMAGE in kind.model_fields:
        values, image = await _of_form(request, kind)
        return _checked(kind, values), image
    if media != "application/json":
        forms = "a form (multipart/form-data) or JSON" if IMAGE in kind.model_fields else "JSON"
        sentence = f"the request must be {forms}, not {media[:60] or 'without a type'!r}."
        raise RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "type", sentence)
    body = await request.body()
    if body.count(b",") + body.count(b"[") + body.count(b"{") > MOST_VALUES:  # they would take much memory
        raise invalid(f"the request has more than {MOST_VALUES:,} values")
    try:
        values = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise invalid(f"the request is not JSON ({str(error)[:SHOWN]})") from error
    question = _checked(kind, values)
    return question, _decoded(question.image) if isinstance(question, Embed) else b""


def vocabulary(naming: Naming, limits: Limits) -> Vocabulary:
    """The labels of a request. Raises `RefusedError` for too many or too long ones, and `VocabularyError`."""
    entries = [(word, ()) if isinstance(word, str) else (word.label, tuple(word.others)) for word in naming.labels]
    words = [word for label, others in entries for word in (label, *others)]
    if len(words) > limits.labels:
        raise invalid(f"{len(words):,} labels are too many: name at most {limits.labels:,}", "too_many_labels")
    longest = max(words, key=len)
    if len(longest) > limits.label_length:
        sentence = f"the label that begins {longest[:40]!r} has {len(longest):,} letters, more than"
        raise invalid(f"{sentence} {limits.label_length}", "label_too_long")
    return merged_vocabulary(entries)


def invalid(sentence: str, code: str = "invalid") -> RefusedError:
    """That a request is not as it must be (422); `sentence` without its period."""
    return RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, code, f"{sentence}.")


async def _of_form(request: Request, kind: type[Question]) -> tuple[dict[str, Any], bytes]:
    """The fields of a form, and its file. The field "labels" is a line with commas, and may come several times."""
    try:
        form = await request.form(max_files=1, max_fields=50)
    except (RefusedError, ClientDisconnect):
        raise
    except Exception as error:  # the parser of forms raises several kinds
        raise invalid(f"the form cannot be read ({str(error)[:SHOWN]})") from error
    try:
        file = form.get(IMAGE)
        if not isinstance(file, UploadFile):
            raise invalid('the form has no file in its field "image"')
        values: dict[str, Any] = {name: value for name, value in form.items() if name not in (IMAGE, LABELS)}
        if LABELS in kind.model_fields:
            lines = [line for line in form.getlist(LABELS) if isinstance(line, str)]
            if sum(map(len, lines)) > LONGEST:
                raise invalid(f"the labels have more than {LONGEST:,} letters", "too_many_labels")
            values[LABELS] = [label for line in lines for label in parse_labels(line)]
        return {**values, IMAGE: ""}, await file.read()
    finally:
        await form.close()


def _checked(kind: type[Q], values: object) -> Q:
    if not isinstance(values, Mapping):
        raise invalid("the request is not a JSON object")
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part)[:40] for part in first["loc"] if not str(part)[:1].isupper())
        said = PLAIN.get(first["type"], first["msg"].rstrip(".")[:SHOWN])
        raise invalid(f"{where or 'the request'}: {said}") from error


def _decoded(image: str) -> bytes:
    try:
        return base64.b64decode(image.encode("ascii"), validate=True)
    except (ValueError, binascii.Error) as error:
        raise invalid("the field image is not base64") from error
