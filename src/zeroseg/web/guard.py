"""What every request must pass before the application sees it; and headers that every response has.

A page of another site can make a browser send requests to this computer. So the Host must be one of ours (DNS
rebinding: https://owasp.org/www-community/attacks/DNS_Rebinding), and requests that change or compute something must
come from our own page, if they come from a page at all (Origin).
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zeroseg.web.limits import RefusedError

LOCAL = ("localhost", "127.0.0.1", "[::1]")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
SHOWN = 60  # letters of a wrong host
HARMLESS = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True)
class Door:
    """Who may come in.

    `hosts`: names, without ports, that the Host header may have; `*` for any. `token`: what requests to addresses under
    `locked` must send as `Authorization: Bearer`; "" for none. `bytes`: the largest body.
    """

    hosts: tuple[str, ...] = LOCAL
    token: str = ""
    locked: tuple[str, ...] = ("/v1/", "/metrics")
    bytes: int = 25_000_000


class Guard:
    """ASGI middleware: refuses requests that do not pass the `Door`, and adds `HEADERS` to all responses."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self.app, self.door = app, door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See `Guard`."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            self._check(scope)
            await self.app(scope, limited(receive, self.door.bytes), with_headers)
        except RefusedError as refused:
            await _refuse(refused, with_headers)

    def _check(self, scope: Scope) -> None:
        """Raise `RefusedError`."""
        headers, door = Headers(scope=scope), self.door
        host = headers.get("host", "")
        if "*" not in door.hosts and _name(host) not in door.hosts:
            raise RefusedError(
                HTTPStatus.MISDIRECTED_REQUEST, "host", f"this server is not {host[:SHOWN]!r}: see --allow-host."
            )
        origin = headers.get("origin")
        if scope["method"] not in HARMLESS and origin is not None and origin.partition("://")[2] != host:
            raise RefusedError(HTTPStatus.FORBIDDEN, "origin", "requests from pages of other sites are not answered.")
        if door.token and scope["path"].startswith(door.locked):
            scheme, _, given = headers.get("authorization", "").partition(" ")
            if scheme.lower() != "bearer" or not secrets.compare_digest(given.encode("latin-1"), door.token.encode()):
                sentence = "this server needs a token: send the header Authorization: Bearer TOKEN."
                raise RefusedError(HTTPStatus.UNAUTHORIZED, "token", sentence, {"WWW-Authenticate": "Bearer"})
        length = headers.get("content-length", "0")
        if length.isascii() and length.isdecimal() and (len(length) > 18 or int(length) > door.bytes):
            raise too_large(door.bytes)


def limited(receive: Receive, most: int) -> Receive:
    """`receive` for bodies of at most `most` bytes, also where none says its length. Raises `RefusedError`."""
    seen = 0

    async def receiving() -> Message:
        nonlocal seen
        message = await receive()
        if message["type"] == "http.request":
            seen += len(message.get("body", b""))
            if seen > most:
                raise too_large(most)
        return message

    return receiving


def too_large(most: int) -> RefusedError:
    """That a request has too many bytes."""
    sentence = f"the request is larger than {most:,} bytes: send a smaller picture."
    return RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", sentence, {"Connection": "close"})


def allowed_hosts(listening: str, more: Iterable[str]) -> tuple[str, ...]:
    """The names that the Host header may have if the server listens at `listening`, and those that the user names."""
    return (
        *LOCAL,
        *(_name(f"[{name}]" if name.count(":") > 1 and "[" not in name else name) for name in (listening, *more)),
    )


def _name(host: str) -> str:
    """A Host header without its port, in small letters."""
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdecimal() else host).lower()


async def _refuse(refused: RefusedError, send: Send) -> None:
    content = json.dumps(refused.body).encode()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(content)), **refused.headers}
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": int(refused.status), "headers": raw})
    await send({"type": "http.response.body", "body": content})
