"""A real server and a real browser, for the tests of the page."""

from __future__ import annotations

import base64
import os
import shutil
import socket
import threading
import time
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import axe_playwright_python
import uvicorn
from playwright.sync_api import ConsoleMessage, Page, Request
from starlette.types import ASGIApp

from zeroseg.segmenter import Segmenter
from zeroseg.web.api import SAMPLES, Served, application
from zeroseg.web.server import Impatient, listening

CHROMIUM = os.environ.get("ZEROSEG_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
NO_CHROMIUM = "there is no Chromium: install it, or name it in the environment variable ZEROSEG_CHROMIUM"
AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text(encoding="utf-8")
DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 360, "height": 740}
PATIENCE = 30.0  # seconds, of a busy machine
CAT = SAMPLES / "cat.jpg"
NAME, EMBED = "/v1/name", "/v1/embed"
DROP = """async ([content, name, kind]) => {
    const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
    const files = new DataTransfer();
    if (bytes.length) files.items.add(new File([bytes], name, { type: "image/jpeg" }));
    const event = kind === "paste" ? new ClipboardEvent("paste", { clipboardData: files, bubbles: true })
        : new DragEvent(kind, { dataTransfer: files, bubbles: true, cancelable: true });
    document.querySelector("main").dispatchEvent(event); }"""


@cache
def segmenters() -> dict[str, Segmenter]:
    """The bundled models."""
    return {name: Segmenter.from_pretrained(name, device="cpu") for name in ("photos", "picturebook")}


def running(served: Served, port: int = 0) -> AbstractContextManager[str]:
    """The address of a server of `zeroseg serve` in a thread of this process."""
    return answering(application(served), port)


@contextmanager
def answering(app: ASGIApp, port: int = 0) -> Generator[str]:
    """The address of an application in a thread of this process."""
    listener: socket.socket = listening("localhost", port)
    server = uvicorn.Server(uvicorn.Config(app, http=Impatient, log_level="error", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield f"http://localhost:{listener.getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@dataclass
class Seen:
    """A page, what its console said that is no harmless line, and the requests that it made."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    refused: bool = False  # whether the server refuses a request on purpose, which the console then says

    def __post_init__(self) -> None:
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._request)

    def asked(self, address: str) -> int:
        """How many requests went to an address."""
        return self.requests.count(address)

    def text(self, selector: str) -> str:
        """The text of an element that is shown."""
        return self.page.locator(selector).inner_text()

    def wait_for(self, condition: str) -> None:
        """Until an expression of JavaScript is true. Playwright's own waiting needs `eval`: the policy forbids it."""
        end = time.monotonic() + PATIENCE
        while not self.page.evaluate(f"() => Boolean({condition})"):
            assert time.monotonic() < end, f"never true: {condition}; the page says {self.text('#alert')!r}"
            self.page.wait_for_timeout(20)

    def settle(self) -> None:
        """Until the masks are shown, and nothing is asked any more."""
        self.wait_for("!document.body.matches('.busy') && document.querySelector('#legend tbody tr:not(.pending)')")

    def sample(self, file: str = "cat.jpg") -> None:
        """Take a sample."""
        self.page.locator(f"#samples li:has(img[src='samples/{file}']) button").click()
        self.settle()

    def give(self, kind: str, content: bytes = CAT.read_bytes(), name: str = "my cat.jpg") -> None:
        """Drop or paste a file."""
        self.page.evaluate(DROP, [base64.b64encode(content).decode(), name, kind])

    def type(self, words: str) -> None:
        """Type words, and wait until they were looked for."""
        self.page.locator("#words-input").fill(words)
        self.page.keyboard.press("Enter")
        self.settle()

    def compare(self) -> None:
        """Compare two sides, and wait for what was found of the other one."""
        self.page.get_by_role("switch", name="Compare").check()
        self.wait_for("document.querySelector('#other-legend tr:not(.pending) .there')")
        self.settle()

    def words(self, side: str = "legend") -> list[str]:
        """The words of a side, in their order."""
        return self.page.locator(f"#{side} .word").all_inner_texts()

    def colour(self, word: str) -> int:
        """The colour of a word, as `overlay` gives it."""
        swatch = self.page.locator(f"#legend tbody tr:has-text('{word}') .swatch")
        r, g, b = swatch.evaluate("it => it.style.backgroundColor.match(/\\d+/g).map(Number)")
        return (r << 16) | (g << 8) | b

    def share(self, value: int, side: int = 0) -> float:
        """The fraction of the overlay that has about this colour: a browser rounds colours that are not opaque."""
        near = [
            all(abs((found >> s & 255) - (value >> s & 255)) <= 3 for s in (0, 8, 16)) for found in self.overlay(side)
        ]
        return sum(near) / len(near)

    def overlay(self, side: int = 0) -> list[int]:
        """The colours of the overlay, one of 101 pixels; 0 where it is clear."""
        return self._read(
            "Array.from({ length: data.length / 404 | 0 }, (_, n) => data.slice(404 * n, 404 * n + 4))"
            ".map(([r, g, b, a]) => a && ((r << 16) | (g << 8) | b))",
            side,
        )

    def in_sight(self, selector: str) -> bool:
        """Whether an element lies within the window."""
        return self.page.locator(selector).evaluate(
            "it => { const { top, bottom, left, right, width } = it.getBoundingClientRect();"
            " return width > 0 && top >= 0 && left >= 0 && bottom <= innerHeight && right <= innerWidth; }"
        )

    def alpha(self) -> int:
        """The opacity in the middle of the overlay, 0..255."""
        return self._read("data[4 * (Math.floor(height / 2) * width + Math.floor(width / 2)) + 3]", 0)

    def slide(self, selector: str, value: float) -> None:
        """Move a slider as a person does: it tells so."""
        self.page.locator(selector).evaluate(
            "(range, value) => { range.value = value; range.dispatchEvent(new Event('input', { bubbles: true })); }",
            value,
        )

    def violations(self) -> list[str]:
        """What axe-core finds wrong: the rule and the elements."""
        found: dict[str, Any] = self.page.evaluate(f"() => {{ {AXE}; return axe.run(); }}")
        return [f"{one['id']}: {[node['html'][:90] for node in one['nodes']]}" for one in found["violations"]]

    def _read(self, expression: str, side: int) -> Any:
        """Of a copy: a canvas that is read gets slower, and the browser says so."""
        return self.page.evaluate(
            f"""side => {{ const canvas = document.querySelector(`canvas.overlay[data-side="${{side}}"]`);
            const {{ width, height }} = canvas;
            const copy = new OffscreenCanvas(width, height).getContext("2d", {{ willReadFrequently: true }});
            copy.drawImage(canvas, 0, 0);
            const {{ data }} = copy.getImageData(0, 0, width, height);
            return {expression}; }}""",
            side,
        )

    def _request(self, request: Request) -> None:
        self.requests.append("/" + request.url.split("/", 3)[3])

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not (self.refused and "Failed to load" in message.text):
            self.complaints.append(message.text)
