"""What a request may ask for, and what it is told if it asks for more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus


@dataclass(frozen=True)
class Limits:
    """The most that is accepted.

    `bytes`: of a request. `megapixels`: of a picture. `labels`: of a vocabulary, with other words for them.
    `label_length`: in letters. `waiting`: requests for the networks that are in work or wait, all clients together.
    `seconds`: for one request. `kept`: embeddings that are kept for `POST /v1/name`. `batch`: pictures that the network
    sees at once.
    """

    bytes: int = 25_000_000
    megapixels: float = 50.0
    labels: int = 1000
    label_length: int = 300
    waiting: int = 32
    seconds: float = 60.0
    kept: int = 64
    batch: int = 8


class RefusedError(Exception):
    """A request that is not answered: the status, a short code for programs, and a sentence for people."""

    def __init__(self, status: HTTPStatus, code: str, sentence: str, headers: Mapping[str, str] | None = None) -> None:
        """`headers`: further ones of the response."""
        super().__init__(sentence)
        self.status, self.code, self.headers = status, code, dict(headers or {})

    @property
    def body(self) -> dict[str, dict[str, str]]:
        """The response as plain values."""
        return {"error": {"code": self.code, "message": str(self)}}


@dataclass
class Waiting:
    """Counts the requests that are in work or wait, and says when to come again."""

    most: int
    now: int = 0
    seconds_each: float = field(default=0.5)  # a mean that follows the latest requests

    def enter(self) -> None:
        """Count a request. Raises `RefusedError` (429) if there are too many."""
        if self.now >= self.most:
            later = max(1, round(self.seconds_each * self.now))
            raise RefusedError(
                HTTPStatus.TOO_MANY_REQUESTS,
                "busy",
                f"{self.now} requests are waiting already: come again in {later} s.",
                {"Retry-After": str(later)},
            )
        self.now += 1

    def leave(self, seconds: float) -> None:
        """A request has ended after so many seconds, those of waiting included."""
        self.seconds_each += 0.1 * (seconds / max(self.now, 1) - self.seconds_each)
        self.now -= 1
