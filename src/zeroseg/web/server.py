"""Listening, and ending: after SIGTERM or Ctrl-C nothing new is accepted, and what is in work is answered."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

BACKLOG = 128  # connections that wait to be accepted
PATIENCE = 5  # seconds that an idle connection is kept open
HEADERS = 10.0  # seconds for the head of a request
CONNECTIONS = 400  # at once: a process may mostly have 1,024 files open


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 is any free one. Raises `OSError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def address(host: str, port: int) -> str:
    """How a browser names a server."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Impatient(H11Protocol):
    """A connection that is closed if the head of a request does not come, and at once if there are too many."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait."""
        super().connection_made(transport)
        self._late = self.loop.call_later(HEADERS, self._give_up)
        if len(self.connections) > CONNECTIONS:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._late.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._late.cancel()
        self._late = self.loop.call_later(HEADERS, self._give_up)

    def _give_up(self) -> None:
        cycle = cast("RequestResponseCycle | None", self.cycle)
        if (cycle is None or cycle.response_complete) and not self.transport.is_closing():
            self.transport.close()


def serve(app: ASGIApp, listener: socket.socket, seconds: float, ready: Callable[[], None] = lambda: None) -> None:
    """Answer until SIGTERM or Ctrl-C; then end when all requests are answered, or after so many `seconds`.

    `ready` is called when the first request can be answered.
    """
    config = uvicorn.Config(
        app,
        http=Impatient,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=PATIENCE,
        timeout_graceful_shutdown=max(1, round(seconds)),
    )

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                ready()

    with suppress(KeyboardInterrupt):  # the signal that ended it, which uvicorn raises again
        Server(config).run(sockets=[listener])
