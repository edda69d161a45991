"""Listening, and ending: after SIGTERM or Ctrl-C nothing new is accepted, and what is in work is answered."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress

import uvicorn
from starlette.types import ASGIApp

BACKLOG = 128  # connections that wait to be accepted
PATIENCE = 5  # seconds that an idle connection is kept open


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


def serve(app: ASGIApp, listener: socket.socket, seconds: float, ready: Callable[[], None] = lambda: None) -> None:
    """Answer until SIGTERM or Ctrl-C; then end when all requests are answered, or after so many `seconds`.

    `ready` is called when the first request can be answered.
    """
    config = uvicorn.Config(
        app,
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
