"""The client, against a server in a process of its own; and how that ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.web.browsing import answering
from zeroseg.models import BUNDLED
from zeroseg.picturebook import draw_scene
from zeroseg.presence import without_absent
from zeroseg.segmenter import Segmenter
from zeroseg.vocabulary import Vocabulary
from zeroseg.web.client import AsyncClient, Client, Remote, ServerError

WORDS = ("dog", "cat", "salt, pepper", 'so "called"', "tree")


@contextmanager
def running(*options: str, token: str = "") -> Generator[tuple[str, subprocess.Popen[str]]]:
    """The address and the process of a server with the model for drawings."""
    command = [sys.executable, "-m", "zeroseg.cli", "serve", "--port", "0", "--model", "picturebook", *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "ZEROSEG_TOKEN": token}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        try:
            address = process.stdout.readline().partition(" ")[0]
            assert address.startswith("http://"), process.communicate()
            yield address, process
        finally:
            process.kill()


@pytest.fixture(scope="module")
def address() -> Generator[str]:
    """Of a server with a token."""
    with running(token="secret") as (one, _):
        yield one


def test_masks_are_those_of_this_machine(address: str, tmp_path: Path) -> None:
    """Of a path, of bytes, and of a picture in memory; in one request or in two."""
    assert "picturebook" in BUNDLED
    picture = draw_scene("held-out", 1).image
    picture.save(tmp_path / "ä b.png")
    segmenter = Segmenter.from_pretrained("picturebook")
    segmenter = segmenter.reading(smallest_region=segmenter.read_out.without_specks().smallest_region)
    expected = without_absent(segmenter, segmenter.encode(picture), Vocabulary(WORDS))
    with Client(address, "secret") as server:
        assert [model["name"] for model in server.models()] == ["picturebook"]
        for source in (tmp_path / "ä b.png", (tmp_path / "ä b.png").read_bytes(), picture):
            found = server.segment(source, WORDS)
            assert found.labels == expected.labels
            assert (found.class_map == expected.class_map).mean() > 0.999  # another process may round differently
        kept = server.embed(picture, "picturebook")
        assert (kept.width, kept.height) == picture.size
        assert (server.name(kept, WORDS, absent="drop").class_map == found.class_map).all()
        named = server.embed(tmp_path / "ä b.png")
        assert json.loads(server.export(named, WORDS, "coco"))["images"][0]["file_name"] == "ä b.png"


def test_several_at_once(address: str) -> None:
    """With asyncio."""
    pictures = [draw_scene("held-out", number).image for number in range(4)]

    async def run() -> None:
        async with AsyncClient(address, "secret") as server:
            assert await server.models()
            found = await asyncio.gather(*(server.segment(picture, WORDS) for picture in pictures))
            assert [one.size for one in found] == [picture.size for picture in pictures]
            kept = await server.embed(pictures[2])
            again = await server.name(kept, WORDS)
            assert (again.class_map == found[2].class_map).mean() > 0.99  # a batch may round differently
            assert await server.export(kept, WORDS, "coco")

    asyncio.run(run())


def test_what_is_wrong_is_said(address: str, tmp_path: Path) -> None:
    """By the server, or of it."""
    with Client(address, "wrong") as server, pytest.raises(ServerError, match="needs a token") as refused:
        server.models()
    assert (refused.value.status, refused.value.code) == (401, "token")
    with Client(address, "secret") as server:
        with pytest.raises(ServerError, match="not a picture"):
            server.segment(b"no picture", ["dog"])
        with pytest.raises(ServerError, match="cannot be read"):
            server.segment(tmp_path / "missing.png", ["dog"])
        with pytest.raises(ServerError, match="1,001 labels"):
            server.segment(draw_scene("held-out", 0).image, [f"thing {n}" for n in range(1001)])
    with Client("http://localhost:9", seconds=2) as server, pytest.raises(ServerError, match="does not answer"):
        server.models()


def test_what_is_in_work_is_answered_when_the_server_ends() -> None:
    """SIGTERM: no new connection, every request that came in is answered, and the process ends well."""
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (1500, 1500, 3), dtype=np.uint8))

    async def run(address: str, process: subprocess.Popen[str]) -> None:
        async with AsyncClient(address) as server:
            await server.models()
            tasks = [asyncio.create_task(server.segment(picture, ["dog"])) for _ in range(6)]
            async with asyncio.timeout(60):
                while int(await waiting(address)) < len(tasks):
                    await asyncio.sleep(0.02)
            process.send_signal(signal.SIGTERM)
            found = await asyncio.gather(*tasks)
        assert [one.size for one in found] == [(1500, 1500)] * 6

    with running() as (address, process):
        asyncio.run(run(address, process))
        begun = time.monotonic()
        said, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")
    assert said == "ended.\n"
    assert time.monotonic() - begun < 20


async def waiting(address: str) -> float:
    """Requests in work or waiting, by the server's figures."""
    async with httpx.AsyncClient(base_url=address) as server:
        text = (await server.get("/metrics")).text
    return float(next(line for line in text.splitlines() if line.startswith("zeroseg_waiting ")).split()[1])


@pytest.mark.parametrize("answer", [b"<p>hello", b"{}", b'{"mask": {"runs": [0, 3]}, "labels": []}', b"[]"])
def test_answers_that_are_none_are_said(answer: bytes) -> None:
    """Of another server."""

    async def other(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await receive()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": answer})

    with answering(other) as address, Client(address) as server:
        for asked in (lambda: server.segment(b"x", ["a"]), lambda: server.embed(b"x")):
            with pytest.raises(ServerError, match="is it one of zeroseg"):
                asked()


def test_addresses_and_labels_that_cannot_be_sent() -> None:
    """One sentence each."""
    with pytest.raises(ServerError, match="is no address"):
        Client("http://localhost:abc")
    with Client("http://localhost:9", "gehéim€", seconds=1) as server:
        for asked in (lambda: server.name(Remote("x", "m", 1, 1), ["a\ud800"]), lambda: server.models()):
            with pytest.raises(ServerError, match="does not answer"):
                asked()
