"""A server of `zeroseg serve`, for programs in Python; in one thread (`Client`) or with asyncio (`AsyncClient`).

from zeroseg.web.client import Client

with Client("http://localhost:8000") as server:
    segmentation = server.segment("photo.jpg", ["dog", "grass"])
    image = server.embed("photo.jpg")               # once
    segmentation = server.name(image, ["cat"])      # many times
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx
import numpy as np
from PIL.Image import Image

from zeroseg.errors import ZeroSegError
from zeroseg.images import load_image
from zeroseg.method_names import FormatName
from zeroseg.segmentation import Segmentation
from zeroseg.vocabulary import parse_labels

Source = str | os.PathLike[str] | bytes | Image
Words = str | Iterable[str]  # one line with commas, or several labels
BUSY, TRIES, LONGEST = 429, 5, 60  # a status, attempts, and seconds to wait in between
QUOTE = '"'
STRANGE = "the server answers {} without what is asked for: is it one of zeroseg?"


class ServerError(ZeroSegError):
    """A request that the server refused, or a server that does not answer; `code` is for programs, 0 for none."""

    def __init__(self, sentence: str, status: int = 0, code: str = "") -> None:
        """`status`: of HTTP, 0 if there was no answer."""
        super().__init__(sentence)
        self.status, self.code = status, code


@dataclass(frozen=True)
class Remote:
    """An image that a server keeps. `photo`: its name in exported files."""

    embedding: str
    model: str
    width: int
    height: int
    photo: str = "image.jpg"


@dataclass(frozen=True)
class Call:
    """A request: its address and what goes with it."""

    path: str
    json: dict[str, Any] | None = None
    files: dict[str, tuple[str, bytes, str]] | None = None
    data: dict[str, Any] | None = None


class Client:
    """Waits for every answer; a busy server is asked again, `TRIES` times. All methods raise `ServerError`."""

    def __init__(self, address: str = "http://localhost:8000", token: str = "", seconds: float = 120.0) -> None:
        """`token`: if the server has one. `seconds`: to wait for an answer."""
        self._http = httpx.Client(base_url=_checked_address(address), headers=_headers(token), timeout=seconds)

    def __enter__(self) -> Client:
        """The client itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, frames: TracebackType | None
    ) -> None:
        """Close the connections."""
        self._http.close()

    def models(self) -> list[dict[str, Any]]:
        """The models of the server; the first is the default."""
        return _values(self._send(Call("/v1/models"))).get("models", [])

    def segment(self, image: Source, labels: Words, model: str | None = None, **options: Any) -> Segmentation:
        """The masks of an image: a path, the bytes of a file, or a Pillow image. `options`: see `POST /v1/segment`."""
        return segmentation_of(_values(self._send(_segment(image, labels, model, options))))

    def embed(self, image: Source, model: str | None = None) -> Remote:
        """An image that is encoded once, for `name` and `export`."""
        return _remote(_values(self._send(_embed(image, model))), image)

    def name(self, image: Remote, labels: Words, **options: Any) -> Segmentation:
        """The masks of an image that the server keeps. `options`: see `POST /v1/name`."""
        return segmentation_of(_values(self._send(_name("/v1/name", image, labels, options | {"mask": "runs"}))))

    def export(self, image: Remote, labels: Words, form: FormatName, **options: Any) -> bytes:
        """The masks as a file in the format of another tool. `options`: see `POST /v1/export`."""
        return self._send(
            _name("/v1/export", image, labels, {"photo": image.photo} | options | {"format": form})
        ).content

    def _send(self, call: Call) -> httpx.Response:
        for attempt in range(TRIES):
            try:
                response = self._http.request(*_arguments(call), **_content(call))
            except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
                raise _gone(error) from error
            if response.status_code != BUSY or attempt == TRIES - 1:
                return _checked(response)
            time.sleep(_pause(response))
        raise AssertionError("the last attempt returns")


class AsyncClient:
    """As `Client`, for asyncio: every method is a coroutine."""

    def __init__(self, address: str = "http://localhost:8000", token: str = "", seconds: float = 120.0) -> None:
        """See `Client`."""
        self._http = httpx.AsyncClient(base_url=_checked_address(address), headers=_headers(token), timeout=seconds)

    async def __aenter__(self) -> AsyncClient:
        """The client itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, frames: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def models(self) -> list[dict[str, Any]]:
        """See `Client.models`."""
        return _values(await self._send(Call("/v1/models"))).get("models", [])

    async def segment(self, image: Source, labels: Words, model: str | None = None, **options: Any) -> Segmentation:
        """See `Client.segment`."""
        return segmentation_of(_values(await self._send(_segment(image, labels, model, options))))

    async def embed(self, image: Source, model: str | None = None) -> Remote:
        """See `Client.embed`."""
        return _remote(_values(await self._send(_embed(image, model))), image)

    async def name(self, image: Remote, labels: Words, **options: Any) -> Segmentation:
        """See `Client.name`."""
        return segmentation_of(_values(await self._send(_name("/v1/name", image, labels, options | {"mask": "runs"}))))

    async def export(self, image: Remote, labels: Words, form: FormatName, **options: Any) -> bytes:
        """See `Client.export`."""
        return (
            await self._send(_name("/v1/export", image, labels, {"photo": image.photo} | options | {"format": form}))
        ).content

    async def _send(self, call: Call) -> httpx.Response:
        for attempt in range(TRIES):
            try:
                response = await self._http.request(*_arguments(call), **_content(call))
            except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
                raise _gone(error) from error
            if response.status_code != BUSY or attempt == TRIES - 1:
                return _checked(response)
            await asyncio.sleep(_pause(response))
        raise AssertionError("the last attempt returns")


def _segment(image: Source, labels: Words, model: str | None, options: dict[str, Any]) -> Call:
    line = labels if isinstance(labels, str) else ", ".join(f'"{label.replace(QUOTE, QUOTE * 2)}"' for label in labels)
    fields = {**{name: value for name, value in options.items() if value is not None}, "mask": "runs", "labels": line}
    return Call("/v1/segment", files=_file(image), data=fields | ({"model": model} if model else {}))


def _embed(image: Source, model: str | None) -> Call:
    return Call("/v1/embed", files=_file(image), data={"model": model} if model else {})


def _name(path: str, image: Remote, labels: Words, options: dict[str, Any]) -> Call:
    words = list(parse_labels(labels)) if isinstance(labels, str) else list(labels)
    return Call(path, json={**options, "embedding": image.embedding, "labels": words})


def _file(image: Source) -> dict[str, tuple[str, bytes, str]]:
    """An image as the file of a form."""
    if isinstance(image, bytes):
        return {"image": ("image", image, "application/octet-stream")}
    if isinstance(image, Image):
        buffer = BytesIO()
        load_image(image).save(buffer, format="PNG")
        return {"image": ("image.png", buffer.getvalue(), "image/png")}
    try:
        return {"image": (Path(image).name, Path(image).read_bytes(), "application/octet-stream")}
    except OSError as error:
        raise ServerError(f"{str(image)!r} cannot be read ({error.strerror}): check the path.") from error


def _checked_address(address: str) -> httpx.URL:
    try:
        return httpx.URL(address)
    except httpx.InvalidURL as error:
        raise ServerError(f"{address!r} is no address ({error}): give one such as http://localhost:8000.") from error


def _headers(token: str) -> dict[bytes, bytes]:
    return {b"Authorization": f"Bearer {token}".encode()} if token else {}


def _arguments(call: Call) -> tuple[str, str]:
    return ("GET" if call.json is None and call.files is None else "POST", call.path)


def _content(call: Call) -> dict[str, Any]:
    return {"json": call.json, "files": call.files, "data": call.data}


def _gone(error: Exception) -> ServerError:
    return ServerError(f"the server does not answer ({error}): is `zeroseg serve` running there?")


def _pause(response: httpx.Response) -> float:
    """How long a busy server wants us to wait, seconds."""
    said = response.headers.get("Retry-After", "")
    return min(int(said) if said.isdecimal() else 1, LONGEST)


def _checked(response: httpx.Response) -> httpx.Response:
    if response.is_success:
        return response
    try:
        fault = response.json()["error"]
        raise ServerError(str(fault["message"]), response.status_code, str(fault["code"]))
    except (ValueError, KeyError, TypeError) as error:
        raise ServerError(STRANGE.format(response.status_code), response.status_code) from error


def _values(response: httpx.Response) -> dict[str, Any]:
    try:
        values = response.json()
    except ValueError as error:
        raise ServerError(STRANGE.format(response.status_code), response.status_code) from error
    return values if isinstance(values, dict) else {}


def _remote(values: dict[str, Any], image: Source) -> Remote:
    named = {} if isinstance(image, bytes | Image) else {"photo": Path(image).name}
    try:
        return Remote(values["embedding"], values["model"], values["width"], values["height"], **named)
    except (KeyError, TypeError) as error:
        raise ServerError(STRANGE.format(HTTPStatus.OK)) from error


def segmentation_of(values: dict[str, Any]) -> Segmentation:
    """A response with runs as the value that `Segmenter` returns."""
    try:
        numbers, lengths = np.array(values["mask"]["runs"]).reshape(-1, 2).T
        class_map = np.repeat(numbers, lengths).reshape(values["mask"]["height"], values["mask"]["width"])
        scores = np.array([row["score"] for row in values["labels"]], np.float32)
        names = tuple(row["label"] for row in values["labels"])
        return Segmentation(names, class_map, scores, values["has_background"])
    except (KeyError, TypeError, ValueError) as error:
        raise ServerError(STRANGE.format(HTTPStatus.OK)) from error
