"""Figures of a server, for Prometheus (https://prometheus.io/docs/instrumenting/exposition_formats)."""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECONDS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
BATCHES = (1.0, 2.0, 4.0, 8.0, 16.0)


class Metrics:
    """Each server has its own, so that several can be in one process."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self._registry = registry
        named = ("address", "status")
        self.requests = Counter("zeroseg_requests", "Requests that were answered", named, registry=registry)
        self.seconds = Histogram(
            "zeroseg_seconds", "Seconds a request", ("address",), buckets=SECONDS, registry=registry
        )
        self.waiting = Gauge("zeroseg_waiting", "Requests in work or waiting", registry=registry)
        self.batch = Histogram("zeroseg_batch", "Pictures encoded at once", buckets=BATCHES, registry=registry)
        self.kept = Gauge("zeroseg_embeddings_kept", "Embeddings that are kept", registry=registry)

    def answered(self, address: str, status: int, seconds: float) -> None:
        """Count a request."""
        self.requests.labels(address, str(status)).inc()
        self.seconds.labels(address).observe(seconds)

    def text(self) -> bytes:
        """All figures, as Prometheus reads them."""
        return generate_latest(self._registry)


class Counted:
    """ASGI middleware: counts each response, with its address as the application has it ("page" for files)."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See `Counted`."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun, status = time.perf_counter(), 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noting)
        finally:
            address = str(getattr(scope.get("route"), "path", "") or "page")
            self.metrics.answered(address, status, time.perf_counter() - begun)
