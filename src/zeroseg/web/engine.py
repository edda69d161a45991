"""The networks of a server: requests of all clients are put together into batches, and one thread runs them.

Everything that waits is bounded: the requests, the pixels of decoded pictures, the embeddings that are kept.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeVar

from PIL.Image import Image

from zeroseg.encoding import Encoded
from zeroseg.images import load_image, pixel_count
from zeroseg.segmenter import Segmenter
from zeroseg.web.limits import Limits, RefusedError, Waiting
from zeroseg.web.metrics import Metrics

T = TypeVar("T")
DECODERS = 2  # threads
HELD = 150_000_000  # pixels of decoded pictures that wait for the networks, if there are several
IMAGE = "the image"  # how messages call it


@dataclass(frozen=True)
class Embedded:
    """An image as a model sees it, with the name of the model."""

    model: str
    encoded: Encoded


@dataclass(frozen=True, eq=False)  # two jobs are one if they are the same: pictures are not compared
class Job:
    """A picture that waits for a model."""

    model: str
    picture: Image
    done: asyncio.Future[Encoded]


class Engine:
    """Segmenters by name, the first of which is the default, for the requests of one event loop."""

    def __init__(self, segmenters: Mapping[str, Segmenter], limits: Limits, metrics: Metrics) -> None:
        self.segmenters, self.limits, self.metrics = segmenters, limits, metrics
        self.default = next(iter(segmenters))
        self.ready = False
        self._waiting = Waiting(limits.waiting)
        self._kept: OrderedDict[str, Embedded] = OrderedDict()
        self._network = ThreadPoolExecutor(1, "network")
        self._decoders = ThreadPoolExecutor(DECODERS, "decoding")

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """While the block runs, requests are answered."""
        self._jobs: asyncio.Queue[Job] = asyncio.Queue()
        self._held, self._fewer = 0, asyncio.Condition()
        worker = asyncio.create_task(self._encode_all())
        self.ready = True
        try:
            yield
        finally:
            self.ready = False
            worker.cancel()
            with suppress(asyncio.CancelledError):
                await worker
            self._network.shutdown()
            self._decoders.shutdown()

    @asynccontextmanager
    async def admitted(self) -> AsyncGenerator[None]:
        """A place among the requests that wait, for a limited time. Raises `RefusedError` (429, 503)."""
        self._waiting.enter()
        self.metrics.waiting.set(self._waiting.now)
        begun = time.monotonic()
        try:
            async with asyncio.timeout(self.limits.seconds):
                yield
        except TimeoutError as error:
            sentence = f"the answer took longer than {self.limits.seconds:g} s: send a smaller picture, or come again."
            raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, "slow", sentence, {"Retry-After": "10"}) from error
        finally:
            self._waiting.leave(time.monotonic() - begun)
            self.metrics.waiting.set(self._waiting.now)

    async def embed(self, model: str | None, content: bytes) -> Embedded:
        """The regions of an image file. Raises `ImageError`, and `RefusedError` (unknown model, too large picture)."""
        name = model or self.default
        if name not in self.segmenters:
            known = ", ".join(self.segmenters)
            raise RefusedError(HTTPStatus.NOT_FOUND, "model", f"there is no model {name[:60]!r} here: choose {known}.")
        pixels = await self.elsewhere(lambda: pixel_count(content, IMAGE))
        if pixels > self.limits.megapixels * 1e6:
            sentence = f"the image has {pixels / 1e6:,.1f} megapixels, more than {self.limits.megapixels:g}."
            raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "megapixels", f"{sentence[:-1]}: make it smaller.")
        async with self._pixels(pixels):
            picture = await self.elsewhere(lambda: load_image(content, IMAGE))
            job = Job(name, picture, asyncio.get_running_loop().create_future())
            self._jobs.put_nowait(job)
            return Embedded(name, await job.done)

    @property
    def queued(self) -> int:
        """Pictures that wait for the networks."""
        return self._jobs.qsize()

    async def network(self, work: Callable[[], T]) -> T:
        """What some work with the networks gives; one at a time."""
        return await asyncio.get_running_loop().run_in_executor(self._network, work)

    async def elsewhere(self, work: Callable[[], T]) -> T:
        """What some other work gives, in a thread of its own."""
        return await asyncio.get_running_loop().run_in_executor(self._decoders, work)

    def keep(self, embedded: Embedded) -> str:
        """Keep an embedding, and return a name for it that nobody can guess; the one used longest ago goes."""
        name = secrets.token_urlsafe(18)
        self._kept[name] = embedded
        while len(self._kept) > self.limits.kept:
            self._kept.popitem(last=False)
        self.metrics.kept.set(len(self._kept))
        return name

    def kept(self, name: str) -> Embedded:
        """An embedding that was kept. Raises `RefusedError` (404) if it is no longer."""
        if name not in self._kept:
            sentence = "this embedding is not kept, or no longer: embed the image again."
            raise RefusedError(HTTPStatus.NOT_FOUND, "embedding", sentence)
        self._kept.move_to_end(name)
        return self._kept[name]

    @asynccontextmanager
    async def _pixels(self, count: int) -> AsyncGenerator[None]:
        """Room for a decoded picture; one alone always has it."""
        async with self._fewer:
            await self._fewer.wait_for(lambda: not self._held or self._held + count <= HELD)
            self._held += count
        try:
            yield
        finally:
            async with self._fewer:
                self._held -= count
                self._fewer.notify_all()

    async def _encode_all(self) -> None:
        """Encode what waits, in batches of one model; requests that were given up meanwhile are left out."""
        jobs = list[Job]()
        while True:
            if not jobs:
                jobs.append(await self._jobs.get())
            while not self._jobs.empty():
                jobs.append(self._jobs.get_nowait())
            jobs = [job for job in jobs if not job.done.done()]
            batch = [job for job in jobs if job.model == jobs[0].model][: self.limits.batch]
            jobs = [job for job in jobs if job not in batch]
            if batch:
                await self._encode(batch)

    async def _encode(self, batch: list[Job]) -> None:
        segmenter, pictures = self.segmenters[batch[0].model], [job.picture for job in batch]
        self.metrics.batch.observe(len(batch))
        try:
            found = await self.network(lambda: segmenter.encode_batch(pictures))
        except Exception as error:  # whatever it is, the server goes on, and these requests say it
            for job in batch:
                if not job.done.done():
                    job.done.set_exception(error)
            return
        for job, encoded in zip(batch, found, strict=True):
            if not job.done.done():
                job.done.set_result(encoded)
