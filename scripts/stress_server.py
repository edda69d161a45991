"""Requests that nobody should send, damaged uploads, and more requests than `zeroseg serve` can answer.

    python -m scripts.stress_server [--requests 2000] [--uploads 2000] [--seconds 30]

Starts a server with the model for drawings on a free port. Sends requests that schemathesis makes of its OpenAPI
document, right and wrong ones; damaged image files (`mutate_images.py`); then photos from as many clients as the
server answers without waiting, and from twice as many as it admits; last, SIGTERM with requests in work. Prints the
answers by status, latencies, and the peak memory. The exit code is 1 if any answer was a 5xx but 503 for time, if the
server died, or if a request that was accepted got no answer.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import os
import signal
import subprocess
import sys
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.generation import GenerationMode
from scripts.mutate_images import mutated_files

PHOTO = Path(__file__).parents[1] / "src/zeroseg/pictures/photos/cat.jpg"
ADMITTED = 16
LABELS = "cat, dog, grass"
SLOW = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large, HealthCheck.large_base_example]


class Server:
    """A server in a process of its own."""

    def __init__(self) -> None:
        words = ("serve", "--port", "0", "--model", "picturebook", "--waiting", str(ADMITTED))
        command = [sys.executable, "-m", "zeroseg.cli", *words]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().partition(" ")[0]

    @property
    def memory(self) -> tuple[float, float]:
        """MB of memory now, and at most until now."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        found = dict(line.split(":", 1) for line in status.splitlines())
        return int(found["VmRSS"].split()[0]) / 1e3, int(found["VmHWM"].split()[0]) / 1e3

    def end(self) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


def main() -> int:
    """Everything, one after the other."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--uploads", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=30.0)
    given_ = parser.parse_args()
    server = Server()
    answers = described(server.address, given_.requests)
    wrong = report("requests that schemathesis made", answers, server)
    wrong |= report("damaged uploads", asyncio.run(damaged(server.address, given_.uploads)), server)
    for name, clients in (("1 client", 1), ("4 clients", 4), (f"{2 * ADMITTED} clients", 2 * ADMITTED)):
        statuses, seconds = asyncio.run(load(server.address, clients, given_.seconds))
        wrong |= report(f"photos from {name}", statuses, server)
        done = statuses[200] / given_.seconds
        half, most = np.percentile(seconds, (50, 99)) if seconds else (0.0, 0.0)
        print(f"  {done:.1f} answers/s; seconds: p50 {half:.2f}, p99 {most:.2f}", flush=True)
    statuses, code = asyncio.run(drained(server))
    print(f"SIGTERM with {sum(statuses.values())} requests in work: {dict(statuses)}, exit code {code}")
    return 1 if wrong or code or set(statuses) != {200} else 0


def report(name: str, answers: Counter[int], server: Server) -> bool:
    """Print what came of requests; whether something went wrong."""
    now, most = server.memory
    shown = ", ".join(f"{status}: {count:,}" for status, count in sorted(answers.items()))
    print(f"{name}: {sum(answers.values()):,} ({shown}); memory {now:.0f} MB, at most {most:.0f} MB", flush=True)
    return server.process.poll() is not None or any(status >= 500 and status != 503 for status in answers)


def described(address: str, requests: int) -> Counter[int]:
    """Requests to all addresses of the OpenAPI document, as many to each."""
    schema: Any = schemathesis.openapi.from_url(f"{address}/v1/openapi.json")
    operations = [result.ok() for result in schema.get_all_operations()]
    real = {"image": base64.b64encode(PHOTO.read_bytes()).decode()}
    real["embedding"] = httpx.post(f"{address}/v1/embed", json=real).json()["embedding"]
    answers: Counter[int] = Counter()
    each = -(-requests // (2 * len(operations)))
    for operation in operations:
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            send(operation, mode, each, answers, real)
    left = requests - sum(answers.values())
    if left > 0:  # some addresses have fewer different requests
        body = next(one for one in operations if one.path == "/v1/name")
        send(body, GenerationMode.POSITIVE, left, answers, real)
    return answers


def send(operation: Any, mode: GenerationMode, count: int, answers: Counter[int], real: dict[str, str]) -> None:
    """Requests to one address; in half of them images and embeddings are `real` ones."""
    try:
        strategy = operation.as_strategy(generation_mode=mode)
    except Exception as error:  # nothing wrong can be sent to an address without parameters
        print(f"  {operation.method} {operation.path}: none of {mode.value} ({type(error).__name__})")
        return

    @settings(max_examples=count, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=SLOW)
    @given(strategy)
    def requests(case: Any) -> None:
        if isinstance(case.body, dict) and sum(answers.values()) % 2:
            case.body |= {name: value for name, value in real.items() if name in case.body}
        answers[case.call().status_code] += 1

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            requests()
        except Exception as error:
            print(f"  {operation.method} {operation.path}: no more of {mode.value} ({type(error).__name__})")


async def damaged(address: str, count: int) -> Counter[int]:
    """Damaged image files, eight at a time."""
    answers: Counter[int] = Counter()
    files = mutated_files(count)

    async def one_after_the_other(client: httpx.AsyncClient) -> None:
        for _, content in files:
            file = {"image": ("image", content)}
            answer = await client.post("/v1/segment", files=file, data={"labels": LABELS, "refine": "false"})
            answers[answer.status_code] += 1

    async with httpx.AsyncClient(base_url=address, timeout=120) as client:
        await asyncio.gather(*(one_after_the_other(client) for _ in range(8)))
    return answers


async def load(address: str, clients: int, seconds: float) -> tuple[Counter[int], list[float]]:
    """The same photo again and again from several clients; seconds of those that were answered with masks."""
    answers, took, end = Counter[int](), list[float](), time.monotonic() + seconds
    content = PHOTO.read_bytes()

    async def one_after_the_other(client: httpx.AsyncClient) -> None:
        while time.monotonic() < end:
            begun = time.monotonic()
            answer = await client.post("/v1/segment", files={"image": ("cat.jpg", content)}, data={"labels": LABELS})
            answers[answer.status_code] += 1
            if answer.status_code == 200:
                took.append(time.monotonic() - begun)
            elif answer.status_code == 429:
                await asyncio.sleep(min(1.0, float(answer.headers["Retry-After"])))

    async with httpx.AsyncClient(base_url=address, timeout=120, limits=httpx.Limits(max_connections=clients)) as client:
        await asyncio.gather(*(one_after_the_other(client) for _ in range(clients)))
    return answers, took


async def drained(server: Server) -> tuple[Counter[int], int]:
    """SIGTERM while requests are in work: their answers, and the exit code."""
    content, answers = PHOTO.read_bytes(), Counter[int]()
    async with httpx.AsyncClient(base_url=server.address, timeout=120) as client:
        files = {"image": ("cat.jpg", content)}
        tasks = [
            asyncio.create_task(client.post("/v1/segment", files=files, data={"labels": LABELS})) for _ in range(12)
        ]
        while "zeroseg_waiting 12" not in (await client.get("/metrics")).text and not all(t.done() for t in tasks):
            await asyncio.sleep(0.005)
        ending = asyncio.create_task(asyncio.to_thread(server.end))
        for answer in await asyncio.gather(*tasks, return_exceptions=True):
            answers[answer.status_code if isinstance(answer, httpx.Response) else 0] += 1
        return answers, await ending


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
