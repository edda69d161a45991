"""Servers with tiny networks."""

from __future__ import annotations

import base64
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import cache
from io import BytesIO

from starlette.testclient import TestClient

from tests.tiny import PATCH_STUDENT, STUDENT, photo, student, teacher
from zeroseg.encoding import Encoded
from zeroseg.images import ImageSource
from zeroseg.rules import Margin
from zeroseg.segmenter import Segmenter
from zeroseg.web.api import Served, application
from zeroseg.web.guard import LOCAL, Door
from zeroseg.web.limits import Limits

LABELS = ["dog", "grass", "red house"]


@cache
def segmenters() -> dict[str, Segmenter]:
    """One that names patches, with a margin; and one that names segments, with the paper's rule."""
    return {
        "patches": Segmenter.of(student(PATCH_STUDENT, seed=3), teacher()).reading(background=Margin(0.0)),
        "segments": Segmenter.of(student(STUDENT, seed=4), teacher()),
    }


class Slow(Segmenter):
    """A segmenter that waits for a sign, and notes its batches."""

    def __init__(self) -> None:
        """The tiny one."""
        one = segmenters()["patches"]
        super().__init__(one.encoder, one.teacher, one.read_out, one.words)
        self.sign, self.begun, self.batches = threading.Event(), threading.Event(), list[int]()

    def encode_batch(self, images: Sequence[ImageSource]) -> list[Encoded]:
        """See `Segmenter`."""
        self.begun.set()
        assert self.sign.wait(20)
        self.batches.append(len(images))
        return super().encode_batch(images)


@contextmanager
def served(limits: Limits | None = None, token: str = "") -> Generator[TestClient]:
    """A client of a server in this process."""
    door = Door((*LOCAL, "testserver"), token, bytes=(limits or Limits()).bytes)
    with TestClient(
        application(Served(segmenters(), limits or Limits(), door)), raise_server_exceptions=False
    ) as client:
        yield client


def png(width: int = 52, height: int = 40, seed: int = 2) -> bytes:
    """The file of a picture."""
    buffer = BytesIO()
    photo(width, height, seed=seed).save(buffer, format="PNG")
    return buffer.getvalue()


def encoded(content: bytes) -> str:
    """Base64, as in JSON."""
    return base64.b64encode(content).decode()
