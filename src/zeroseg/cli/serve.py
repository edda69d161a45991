"""`zeroseg serve`: a page for people and an API for programs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from tyro.conf import UseAppendAction, arg

from zeroseg.cli.messages import UsageError, printable, say
from zeroseg.cli.parsing import check_device, check_positive, parse
from zeroseg.models import DEFAULT

if TYPE_CHECKING:
    import socket

    from zeroseg.web.api import Served

TOKEN = "ZEROSEG_TOKEN"  # the name of an environment variable
LARGEST_PORT = 65_535
LOOPBACK = ("127.0.0.1", "::1")
MISSING = 'the page and the API need further packages: pip install "zeroseg[web]".'


@dataclass(frozen=True)
class Serve:
    """Segment in a browser, and answer programs over HTTP.

    Open the printed address: drop a photo there, type words, look. Programs use the same addresses (docs/serving.md).
    Pictures stay on this machine: nothing is stored, nothing is fetched.

    It listens on this machine only, unless --host names another address; then --allow-host names what clients call
    this machine, and a token in the environment variable ZEROSEG_TOKEN keeps others out.

    examples:
      zeroseg serve --port 8080
      zeroseg serve --model photos --model picturebook --port 9000
      ZEROSEG_TOKEN=secret zeroseg serve --host 0.0.0.0 --allow-host masks.example.org
    """

    model: UseAppendAction[
        Annotated[tuple[str, ...], arg(metavar="MODEL", help_behavior_hint=f"(default: {DEFAULT})")]
    ] = ()
    """A student: a bundled one by name, a folder, or the name of a hub repository.
    May be given several times: the page compares them, and programs choose."""
    device: Annotated[str | None, arg(metavar="NAME", help_behavior_hint="(default: cuda if there is one)")] = None
    """Where the networks run: cpu, cuda, cuda:1, .."""
    host: str = "localhost"
    """Where to listen; 0.0.0.0 for all networks."""
    port: int = 8000
    """0 for any free one."""
    allow_host: UseAppendAction[Annotated[tuple[str, ...], arg(metavar="NAME", help_behavior_hint="")]] = ()
    """A further name that clients may call this machine by; * for any. May be given several times."""
    megapixels: float = 50.0
    """The largest picture that is accepted."""
    max_bytes: int = 25_000_000
    """The largest request."""
    max_labels: int = 1000
    """Words of a request, with other words for labels."""
    waiting: int = 32
    """Requests that are in work or wait; others are told to come again later."""
    seconds: float = 60.0
    """The time for one request, and for those in work when the server ends."""
    batch: int = 8
    """Pictures of several clients that the network sees at once."""

    def run(self) -> int:
        """Serve until Ctrl-C or SIGTERM."""
        self._check()
        try:
            from zeroseg.web.api import application
            from zeroseg.web.server import listening, serve
        except ModuleNotFoundError as error:
            raise UsageError(MISSING) from error
        try:
            listener = listening(self.host, self.port)
        except OSError as error:
            raise UsageError(
                f"cannot listen on {self.host}, port {self.port} ({error.strerror}): choose another --host or --port."
            ) from error
        with listener:
            served = self._served()
            serve(application(served), listener, self.seconds, lambda: self._say(listener))
        print("ended.", flush=True)
        return 0

    def _served(self) -> Served:
        """Load the models."""
        from zeroseg.segmenter import Segmenter
        from zeroseg.web.api import Served
        from zeroseg.web.guard import Door, allowed_hosts
        from zeroseg.web.limits import Limits

        check_device(self.device)
        names = dict.fromkeys(self.model or (DEFAULT,))
        segmenters = {name: Segmenter.from_pretrained(name, device=self.device) for name in names}
        limits = Limits(
            bytes=self.max_bytes,
            megapixels=self.megapixels,
            labels=self.max_labels,
            waiting=self.waiting,
            seconds=self.seconds,
            batch=self.batch,
        )
        door = Door(allowed_hosts(self.host, self.allow_host), os.environ.get(TOKEN, ""), bytes=self.max_bytes)
        return Served(segmenters, limits, door)

    def _say(self, listener: socket.socket) -> None:
        """Print the address."""
        from zeroseg.web.server import address

        port = listener.getsockname()[1]
        locked = " (with the token)" if os.environ.get(TOKEN) else ""
        if listener.getsockname()[0] not in LOOPBACK:
            self._warn()
        print(printable(f"{address(self.host, port)} is ready{locked}; Ctrl-C ends it."), flush=True)

    def _warn(self) -> None:
        """Say what a server needs that others can reach."""
        if not os.environ.get(TOKEN):
            say(f"everyone in the network can use this server: set a token in {TOKEN} to keep others out.")
        if not self.allow_host:
            say("clients that call this machine by a name are refused: give that name as --allow-host.")

    def _check(self) -> None:
        """Raise `UsageError`."""
        if not 0 <= self.port <= LARGEST_PORT:
            raise UsageError(f"--port must be 0 to {LARGEST_PORT}, not {self.port}.")
        for name in ("megapixels", "max_bytes", "max_labels", "waiting", "seconds", "batch"):
            check_positive(f"--{name.replace('_', '-')}", getattr(self, name))


def main(arguments: Sequence[str]) -> int:
    """Parse, and run."""
    return parse(Serve, "serve", arguments).run()
