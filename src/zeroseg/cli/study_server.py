"""The server of `zeroseg study serve`: the study's page behind the guard of the web room."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from zeroseg.cli.messages import UsageError

LARGEST_PORT = 65_535
MOST_BYTES = 10_000  # of a request
SECONDS = 10.0  # for requests in work when the server ends
MISSING = 'the page needs further packages: pip install "zeroseg[web]".'


def check_port(port: int) -> None:
    """Raise `UsageError`."""
    if not 0 <= port <= LARGEST_PORT:
        raise UsageError(f"--port must be 0 to {LARGEST_PORT}, not {port}.")


def serve_study(study: Path, host: str, port: int, allowed: Sequence[str], ready: Callable[[str], None]) -> int:
    """Serve until Ctrl-C or SIGTERM; `ready` is called with the address. Raises `UsageError` and `DatasetError`."""
    try:
        from zeroseg.study.app import app
        from zeroseg.web.guard import Door, Guard, allowed_hosts
        from zeroseg.web.server import address, listening, serve
    except ModuleNotFoundError as error:
        raise UsageError(MISSING) from error
    page = app(study)
    try:
        listener = listening(host, port)
    except OSError as error:
        raise UsageError(
            f"cannot listen on {host}, port {port} ({error.strerror}): choose another --host or --port."
        ) from error
    reached = address(host, listener.getsockname()[1])
    with listener:
        guarded = Guard(page, Door(allowed_hosts(host, allowed), bytes=MOST_BYTES))
        serve(guarded, listener, SECONDS, lambda: ready(reached))
    print("ended.", flush=True)
    return 0
