"""Connections: those that send nothing are closed, and there are not too many of them."""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from urllib.parse import urlsplit

import httpx
import pytest

from tests.web.browsing import answering
from tests.web.serving import Slow, png, segmenters
from zeroseg.web.api import Served, application
from zeroseg.web.server import address


def opened(at: str, stack: ExitStack) -> socket.socket:
    """A connection that has sent half a head."""
    parts = urlsplit(at)
    one = stack.enter_context(socket.create_connection((parts.hostname, parts.port)))
    one.sendall(b"G")
    one.settimeout(10)
    return one


def test_half_heads_are_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also after a request on the same connection."""
    monkeypatch.setattr("zeroseg.web.server.HEADERS", 0.3)
    with answering(application(Served(segmenters()))) as at, ExitStack() as stack:
        one = opened(at, stack)
        begun = time.monotonic()
        assert one.recv(1) == b""
        assert 0.2 < time.monotonic() - begun < 8
        again = opened(at, stack)
        again.sendall(b"ET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert again.recv(12) == b"HTTP/1.1 200"
        again.sendall(b"G")
        while again.recv(1000):
            pass
        assert httpx.get(f"{at}health/live").status_code == 200


def test_too_many_connections_are_closed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that files can still be opened; when some have gone, others are answered."""
    monkeypatch.setattr("zeroseg.web.server.CONNECTIONS", 5)
    with answering(application(Served(segmenters()))) as at:
        with ExitStack() as stack:
            for _ in range(5):
                opened(at, stack)
            time.sleep(0.3)
            with pytest.raises(httpx.HTTPError, match=r"."):
                httpx.get(f"{at}health/live", timeout=3)
        time.sleep(0.3)
        assert httpx.get(f"{at}health/live").status_code == 200


def test_what_nobody_waits_for_is_not_computed() -> None:
    """A client that has gone leaves the queue; it is no failure of the server."""
    slow = Slow()
    with answering(application(Served({"slow": slow}))) as at, ThreadPoolExecutor() as pool:
        first = pool.submit(httpx.post, f"{at}v1/embed", files={"image": png()})
        assert slow.begun.wait(20)
        for _ in range(3):
            with pytest.raises(httpx.ReadTimeout, match="timed out"):
                httpx.post(f"{at}v1/embed", files={"image": png()}, timeout=0.3)
        last = pool.submit(httpx.post, f"{at}v1/embed", files={"image": png()})
        gone = 'zeroseg_requests_total{address="/v1/embed",status="408"} 3.0'
        while gone not in httpx.get(f"{at}metrics").text:
            time.sleep(0.05)
        slow.sign.set()
        assert first.result().status_code == last.result().status_code == 200
    assert slow.batches == [1, 1]


@pytest.mark.parametrize("media", ["application/json", "multipart/form-data; boundary=x"])
def test_a_client_may_go_while_it_sends(media: str) -> None:
    """That is no failure of the server, and no request that it has read."""
    with answering(application(Served(segmenters()))) as at:
        parts = urlsplit(at)
        with socket.create_connection((parts.hostname, parts.port)) as one:
            head = (
                f"POST /v1/segment HTTP/1.1\r\nHost: localhost\r\nContent-Type: {media}\r\nContent-Length: 99\r\n\r\n"
            )
            one.sendall(f"{head}--x\r\n".encode())
            time.sleep(0.2)
        ended = time.monotonic() + 10
        while 'zeroseg_requests_total{address="/v1/segment"' not in httpx.get(f"{at}metrics").text:
            assert time.monotonic() < ended
            time.sleep(0.05)
        figures = httpx.get(f"{at}metrics").text
    assert 'zeroseg_requests_total{address="/v1/segment",status="408"} 1.0' in figures


def test_addresses_are_those_of_browsers() -> None:
    """IPv6 has brackets."""
    assert address("localhost", 80) == "http://localhost:80"
    assert address("::1", 80) == "http://[::1]:80"
