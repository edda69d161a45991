"""The server: Python's own, since five addresses and JSON need no framework.

It answers GET / and /health, and POST /setup, /predict and /webhook.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from zeroseg.errors import ZeroSegError
from zeroseg.label_studio.backend import Backend, Json

LARGEST_REQUEST = 64_000_000  # bytes; images in data URIs are part of it
PATIENCE = 60  # seconds until a client that sends nothing is disconnected


class RefusedError(Exception):
    """A request that is not answered: the status, and why."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        """`why`: a sentence for the client."""
        super().__init__(why)
        self.status = status


class Server(ThreadingHTTPServer):
    """Listens at once; `serve_forever` answers. Port 0: any free one. Raises `OSError` if it cannot listen there."""

    daemon_threads = True  # Ctrl-C does not wait for requests

    def __init__(self, backend: Backend, host: str, port: int) -> None:
        """`backend` gives the answers."""
        super().__init__((host, port), Handler)
        self.backend = backend
        self.answers: dict[tuple[str, str], Callable[[Json], Json]] = {
            ("GET", "/"): lambda _: backend.health(),
            ("GET", "/health"): lambda _: backend.health(),
            ("POST", "/setup"): backend.setup,
            ("POST", "/predict"): backend.predict,
            ("POST", "/webhook"): lambda _: {},  # annotations were changed: nothing is learned from them
        }

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A sentence instead of a traceback; a client that has gone is worth none."""
        del request, client_address
        error = sys.exception()
        if not isinstance(error, ConnectionError | TimeoutError):
            self.backend.say(f"a request failed ({type(error).__name__}: {error}).")


class Handler(BaseHTTPRequestHandler):
    """One request."""

    timeout = PATIENCE
    server_version, sys_version = "zeroseg", ""

    def do_GET(self) -> None:
        """Whether the model is there."""
        self._answer()

    def do_POST(self) -> None:
        """All other requests, with JSON."""
        self._answer()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What Python's server refuses, such as other methods, in the form of all answers."""
        del explain
        self._send(HTTPStatus(code), {"error": message or HTTPStatus(code).phrase})

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: only tasks that fail are worth a line."""

    def _answer(self) -> None:
        answers = cast("Server", self.server).answers
        path = self.path.partition("?")[0].rstrip("/") or "/"
        try:
            if (self.command, path) not in answers:
                raise RefusedError(HTTPStatus.NOT_FOUND, "there is nothing here.")
            given = self._body() if self.command == "POST" else {}
            self._send(HTTPStatus.OK, answers[self.command, path](given))
        except RefusedError as refused:
            self._send(refused.status, {"error": str(refused)})
        except ZeroSegError as error:
            self._send(HTTPStatus.BAD_REQUEST, {"error": str(error)})

    def _body(self) -> Json:
        """The values of the request. Raises `RefusedError`."""
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdecimal()):
            raise RefusedError(HTTPStatus.LENGTH_REQUIRED, "the request does not say how long it is.")
        if len(length) > len(str(LARGEST_REQUEST)) or int(length) > LARGEST_REQUEST:
            why = f"the request is larger than {LARGEST_REQUEST:,} bytes: send fewer tasks."
            raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, why)
        if self.headers.get_content_type() != "application/json":  # pages in a browser cannot send it elsewhere
            raise RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the request is not application/json.")
        try:
            values = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError) as error:
            raise RefusedError(HTTPStatus.BAD_REQUEST, f"the request is not JSON ({error}).") from error
        if not isinstance(values, dict):
            raise RefusedError(HTTPStatus.BAD_REQUEST, "the request is not a JSON object.")
        return cast("Json", values)

    def _send(self, status: HTTPStatus, values: Json) -> None:
        content = json.dumps(values).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
