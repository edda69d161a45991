"""A server with a tiny student, and requests to it."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.tiny import PATCH_STUDENT, student, teacher
from zeroseg.label_studio import Backend, Server, TaskImages
from zeroseg.rules import NoBackground
from zeroseg.segmenter import Segmenter

JSON = {"Content-Type": "application/json"}
CONFIG = """<View><Image name="photo" value="$picture"/><BrushLabels name="brush" toName="photo">
  <Label value="dog"/><Label value="Grass" alias="g" hint="lawn, meadow"/><Label value="red house"/>
  </BrushLabels></View>"""


@dataclass
class Served:
    """A running server, what it answers with, and what it has said."""

    port: int
    segmenter: Segmenter
    root: Path
    said: list[str] = field(default_factory=list[str])

    def ask(self, method: str, path: str, body: object = None, headers: Mapping[str, str] = JSON) -> tuple[int, Any]:
        """The status and the values of an answer."""
        connection = http.client.HTTPConnection("localhost", self.port, timeout=60)
        with contextlib.closing(connection):
            content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
            connection.request(method, path, content, dict(headers))
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())

    def predict(self, *images: object, config: str = CONFIG) -> list[dict[str, Any]]:
        """The predictions for tasks with these images."""
        tasks = [{"id": number, "data": {"picture": image}} for number, image in enumerate(images)]
        status, values = self.ask("POST", "/predict", {"tasks": tasks, "label_config": config, "project": "1.2"})
        assert status == 200, values
        return values["results"]


def tiny_segmenter() -> Segmenter:
    """It finds all labels of `CONFIG` in `photo(52, 40, seed=2)`; there is no background."""
    return Segmenter.of(student(PATCH_STUDENT, seed=3), teacher()).reading(background=NoBackground())


@contextlib.contextmanager
def serving(root: Path, segmenter: Segmenter, host: str = "", key: str = "") -> Generator[Served]:
    """A server on a free port."""
    said: list[str] = []
    with running(Server(Backend(segmenter, TaskImages(root, host, key), said.append), "localhost", 0)) as port:
        yield Served(port, segmenter, root, said)


@contextlib.contextmanager
def running(server: ThreadingHTTPServer) -> Generator[int]:
    """The port of a server that runs in a thread."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=10)


class LabelStudio(ThreadingHTTPServer):
    """What serves files in place of Label Studio: `files` by path; a path in `moved` redirects to an address."""

    def __init__(self, files: Mapping[str, bytes], moved: Mapping[str, str] | None = None) -> None:
        super().__init__(("localhost", 0), _Files)
        self.files, self.moved = dict(files), dict(moved or {})
        self.asked: list[tuple[str, str | None]] = []  # paths, and the authorization that came with them


class _Files(BaseHTTPRequestHandler):
    server: LabelStudio

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        if self.path in self.server.moved:
            self.send_response(302)
            self.send_header("Location", self.server.moved[self.path])
            self.end_headers()
        else:
            self._send(self.server.files.get(self.path))

    def do_POST(self) -> None:
        given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        known = given["refresh"] == "a.b.c"
        self._send(json.dumps({"access": "short"} if known else {"detail": "not valid"}).encode())

    def _send(self, content: bytes | None) -> None:
        self.send_response(404 if content is None else 200)
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, format: str, *args: Any) -> None:
        pass
