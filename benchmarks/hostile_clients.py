"""Clients that hang up, say nothing, or only look whether the server is well."""

import asyncio
import contextlib
import json
import random
import time
from collections.abc import Awaitable, Callable
from http.client import HTTPConnection
from multiprocessing.connection import Connection
from urllib.parse import urlsplit

PROBED = ("/healthz", "/metrics")
PROBE_TIMEOUT = 60
PAUSE = 0.1
"""Seconds between two looks."""


async def hang_up(address: str, task: str, text: str) -> None:
    """Sends a request, or a part of one, and goes without an answer."""
    body = json.dumps({"inputs": [text] * random.randint(1, 8)}).encode()
    head = f"POST /models/{task} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    payload = head.encode() + body
    _, writer = await _connect(address)
    writer.write(payload[: random.choice([len(payload), random.randint(1, len(payload))])])
    with contextlib.suppress(ConnectionError):
        await writer.drain()
        await asyncio.sleep(random.uniform(0, 0.3))
    writer.transport.abort()


async def stay_silent(address: str, opened: Callable[[int], None]) -> None:
    """Opens a connection and says nothing; opens another one where the server closes it."""
    while True:
        with contextlib.suppress(ConnectionError):
            reader, writer = await _connect(address)
            opened(1)
            try:
                await reader.read()
            finally:
                opened(-1)
                writer.transport.abort()


def probe(address: str, results: Connection) -> None:
    """Looks at `PROBED` in a process of its own until something is sent; sends the seconds back.

    Each look is a connection of its own, as those of Kubernetes are.
    """
    seconds: dict[str, list[float]] = {path: [] for path in PROBED}
    while not results.poll():
        for path in PROBED:
            start = time.perf_counter()
            _get(address, path)
            seconds[path].append(time.perf_counter() - start)
        time.sleep(PAUSE)
    results.send(seconds)


def _get(address: str, path: str) -> None:
    """One look; a client library would take longer for its own preparations."""
    client = HTTPConnection(urlsplit(address).netloc, timeout=PROBE_TIMEOUT)
    with contextlib.closing(client):
        client.request("GET", path)
        response = client.getresponse()
        response.read()
        if response.status != 200:
            raise RuntimeError(f"{path}: expected 200, got {response.status}")


def _connect(address: str) -> Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    parts = urlsplit(address)
    return asyncio.open_connection(parts.hostname, parts.port)
