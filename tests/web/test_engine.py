"""The networks of a server under load: batches of all clients, and bounds on all that waits."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

import pytest

from tests.web.serving import Slow, png, segmenters
from zeroseg.errors import ImageError
from zeroseg.segmenter import Segmenter
from zeroseg.web.engine import Engine
from zeroseg.web.limits import Limits, RefusedError, Waiting
from zeroseg.web.metrics import Metrics


def engine(segmenter: Segmenter, **limits: Any) -> Engine:
    """With one model, "tiny"."""
    return Engine({"tiny": segmenter, "other": segmenters()["segments"]}, Limits(**limits), Metrics())


async def until(condition: Any) -> None:
    """Wait until something is true, at most ten seconds."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


def test_pictures_of_all_clients_are_one_batch() -> None:
    """What comes while the network works is encoded together, up to the limit; each gets its own."""
    slow = Slow()

    async def run() -> None:
        async with (one := engine(slow, batch=4)).running():
            first = asyncio.create_task(one.embed(None, png(seed=0)))
            await until(slow.begun.is_set)
            others = [asyncio.create_task(one.embed("tiny", png(40 + n, 40, n))) for n in range(1, 7)]
            await until(lambda: one.queued == 6)
            slow.sign.set()
            found = [await task for task in (first, *others)]
        assert [embedded.encoded.size for embedded in found] == [(40, 52), *((40, 40 + n) for n in range(1, 7))]

    asyncio.run(run())
    assert slow.batches == [1, 4, 2]


def test_too_many_are_told_when_to_come_again() -> None:
    """429 with Retry-After; when some have left, others come in."""
    slow = Slow()

    async def run() -> None:
        one = engine(slow, waiting=2)

        async def request() -> None:
            async with one.admitted():
                await one.embed(None, png())

        async with one.running():
            tasks = [asyncio.create_task(request()) for _ in range(2)]
            await until(slow.begun.is_set)
            with pytest.raises(RefusedError, match="come again") as refused:
                await request()
            assert refused.value.status == HTTPStatus.TOO_MANY_REQUESTS
            assert int(refused.value.headers["Retry-After"]) >= 1
            slow.sign.set()
            await asyncio.gather(*tasks)
            await request()

    asyncio.run(run())


def test_a_request_has_a_limited_time() -> None:
    """503; what was given up is not encoded, and the engine goes on."""
    slow = Slow()

    async def run() -> None:
        one = engine(slow, seconds=1)

        async def request() -> None:
            async with one.admitted():
                await one.embed(None, png())

        async with one.running():
            tasks = [asyncio.create_task(request())]
            await until(slow.begun.is_set)
            tasks += [asyncio.create_task(request()) for _ in range(2)]
            found = await asyncio.gather(*tasks, return_exceptions=True)
            assert [error.code for error in found if isinstance(error, RefusedError)] == ["slow"] * 3
            slow.sign.set()
            await one.embed(None, png())

    asyncio.run(run())
    assert slow.batches == [1, 1]  # the first one was begun, the last one is new


def test_an_error_of_the_network_is_one_request_of_many() -> None:
    """The others, and other models, are answered."""
    slow = Slow()
    slow.sign.set()
    slow.encode_batch = lambda _: 1 / 0  # type: ignore[method-assign, assignment]

    async def run() -> None:
        async with (one := engine(slow)).running():
            with pytest.raises(ZeroDivisionError, match="division"):
                await one.embed(None, png())
            with pytest.raises(ImageError, match="the image"):
                await one.embed("other", b"no picture")
            assert (await one.embed("other", png())).model == "other"

    asyncio.run(run())


def test_when_to_come_again_follows_the_load() -> None:
    """From how long requests have taken."""
    waiting = Waiting(3)
    for _ in range(50):
        waiting.enter()
        waiting.leave(4.0)
    for _ in range(3):
        waiting.enter()
    with pytest.raises(RefusedError, match="come again") as refused:
        waiting.enter()
    assert refused.value.headers["Retry-After"] in ("11", "12")
