"""The server under clients and files that mean it no good.

    python -m benchmarks.hostile_serving

Requests of all kinds are sent, 30 % of which are to be refused: no JSON, 100,000 nested lists, a
megabyte of exclamation marks, foreign names and origins. Meanwhile clients hang up at any moment,
hundreds of connections say nothing, and files that are no tasks come into the folder: cut, forged
and signed, of 6 GB, links in a circle, names that have no UTF-8. Every answer is compared with
that of the quiet server; another process looks at /healthz and /metrics all the time, and the
resident memory of the server is sampled. A task that is added at the end has to be served.
"""

import asyncio
import os
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import aiohttp
import httpx2
import numpy as np
import psutil
import tyro

from benchmarks.harness import say
from benchmarks.hostile_clients import hang_up, probe, stay_silent
from benchmarks.hostile_requests import Request, agree, make_requests
from benchmarks.poison import poison
from benchmarks.serving import Running, running_server, write_tasks

SAMPLE_SECONDS = 0.25
TIMEOUT = aiohttp.ClientTimeout(total=300)


@dataclass
class Outcome:
    """What became of the requests.

    Attributes:
        statuses: How many responses there were of each status.
        lost: What went wrong: no response, another status or answer than expected.
        retried: How often a request was sent again after 429.
        silent: How many silent connections are open, and at most were.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    retried: int = 0
    silent: int = 0
    most_silent: int = 0

    def count_silent(self, change: int) -> None:
        """Counts a silent connection that was opened or closed."""
        self.silent += change
        self.most_silent = max(self.silent, self.most_silent)


class MemorySampler:
    """Resident memory of a process, sampled in a thread.

    Args:
        process: Its id.
    """

    def __init__(self, process: int) -> None:
        self.samples: list[int] = []
        self._process = psutil.Process(process)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample)
        self._thread.start()

    def stop(self) -> None:
        """Ends the sampling."""
        self._stop.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._stop.wait(SAMPLE_SECONDS):
            self.samples.append(self._process.memory_info().rss)


async def ask(
    session: aiohttp.ClientSession, request: Request, outcome: Outcome, expected: Any = None
) -> Any:
    """Sends a request until it is not refused with 429, and compares the answer."""
    while True:
        try:
            async with session.post(
                request.path, data=request.body, headers=dict(request.headers)
            ) as response:
                values = await response.json()
        except (aiohttp.ClientError, TimeoutError) as error:
            outcome.lost.append(f"{request.path}: {error!r}")
            return None
        outcome.statuses[response.status] += 1
        if response.status != 429:
            break
        outcome.retried += 1
        await asyncio.sleep(int(response.headers["Retry-After"]))
    if response.status != request.status:
        outcome.lost.append(
            f"{request.path}: {response.status} for {request.body[:60]!r}: {values}"
        )
    elif expected is not None and not agree(values, expected):
        outcome.lost.append(f"{request.path}: {values} instead of {expected}")
    return values


async def ask_all(
    address: str, requests: Sequence[Request], expected: dict[bytes, Any], clients: int
) -> Outcome:
    """Sends requests, so many at a time."""
    outcome, left = Outcome(), iter(requests)
    connections = aiohttp.TCPConnector(limit=clients)
    async with aiohttp.ClientSession(address, connector=connections, timeout=TIMEOUT) as session:

        async def work(left: Iterator[Request]) -> None:
            for request in left:
                await ask(session, request, outcome, expected.get(_key(request)))

        await asyncio.gather(*(work(left) for _ in range(clients)))
    return outcome


async def attack(
    address: str,
    requests: Sequence[Request],
    expected: dict[bytes, Any],
    texts: Sequence[str],
    *,
    clients: int,
    silent: int,
    hang_ups: int,
) -> Outcome:
    """Sends requests among silent connections, while others hang up."""
    counter = Outcome()
    quiet = [asyncio.create_task(stay_silent(address, counter.count_silent)) for _ in range(silent)]
    answered = asyncio.create_task(ask_all(address, requests, expected, clients))
    for number in range(hang_ups):
        await hang_up(address, f"task{number % 4:03}", texts[number % len(texts)])
        await asyncio.sleep(0)
    outcome = await answered
    for task in quiet:
        task.cancel()
    await asyncio.gather(*quiet, return_exceptions=True)
    outcome.most_silent = counter.most_silent
    return outcome


def main(
    *,
    base: str = "minilm",
    requests: int = 5000,
    warm_up: int = 2000,
    hang_ups: int = 300,
    silent: int = 500,
    poisoned: int = 100,
    tasks: int = 8,
    clients: int = 16,
    seed: int = 0,
) -> None:
    """Prints what became of requests, probes, memory and files.

    Args:
        base: The base.
        requests: Requests that are counted.
        warm_up: Requests before them, under the same attacks, after which memory has to be flat.
        hang_ups: Clients that go without an answer.
        silent: Connections that say nothing, at all times.
        poisoned: Files in the folder that are no tasks; half of them are there at the start.
        tasks: Tasks that are served.
        clients: Requests under way at a time.
        seed: The seed of everything that is drawn.
    """
    random = np.random.default_rng(seed)
    names = [f"task{number:03}" for number in range(tasks + 1)]
    asked = make_requests(random, names[:tasks], warm_up + requests)
    with tempfile.TemporaryDirectory() as name, (Path(name) / "log").open("wb") as log:
        folder = Path(name) / "tasks"
        folder.mkdir()
        write_tasks(folder, base, names, random)
        last = folder / f"{names[tasks]}.safetensors"
        good = last.read_bytes()
        last.unlink()
        files = poison(folder, good, poisoned, random)
        for _ in range(poisoned // 2):
            next(files)
        with running_server(base, folder, log) as server:
            expected = _expected(server.address, asked)
            attacks = {"clients": clients, "silent": silent}
            texts = ["a good film " * 20, "a book", "the film was very long"]
            memory, (here, there) = MemorySampler(server.process.pid), get_context("spawn").Pipe()
            looks = get_context("spawn").Process(target=probe, args=(server.address, there))
            looks.start()
            asyncio.run(
                attack(server.address, asked[:warm_up], expected, texts,
                       hang_ups=hang_ups // 5, **attacks)
            )  # fmt: skip
            warm, start = len(memory.samples), time.perf_counter()
            poisoning = threading.Thread(target=_put_slowly, args=(files, requests / 200))
            poisoning.start()
            outcome = asyncio.run(
                attack(server.address, asked[warm_up:], expected, texts,
                       hang_ups=hang_ups, **attacks)
            )  # fmt: skip
            seconds = time.perf_counter() - start
            poisoning.join()
            here.send("stop")
            load = os.getloadavg()[1]
            say(f"{os.cpu_count()} cores, on which {load:.1f} processes wanted to run at a time")
            _report_requests(outcome, requests, seconds)
            _report_probes(here.recv())
            memory.stop()
            _report_memory(memory.samples[warm:])
            last.write_bytes(good)
            _report_files(server, names[tasks], Path(name) / "log")
            looks.join()


def _expected(address: str, requests: Sequence[Request]) -> dict[bytes, Any]:
    """Answers of the server while it has no other client.

    Those of a task are asked for in a row, after which it is among the merged ones.
    """
    different = sorted({_key(one): one for one in requests if one.status == 200}.items())

    async def ask_each() -> dict[bytes, Any]:
        outcome = Outcome()
        async with aiohttp.ClientSession(address, timeout=TIMEOUT) as session:
            found = {key: await ask(session, one, outcome) for key, one in different}
        if outcome.lost:
            raise RuntimeError(outcome.lost[0])
        return found

    return asyncio.run(ask_each())


def _key(request: Request) -> bytes:
    return request.path.encode() + b" " + request.body


def _put_slowly(files: Iterator[Path], seconds: float) -> None:
    """Puts the rest of the files there, spread over some time."""
    for _ in files:
        time.sleep(seconds / 100)


def _report_requests(outcome: Outcome, requests: int, seconds: float) -> None:
    say(
        f"{requests:,} requests in {seconds:.0f} s, by status {dict(outcome.statuses)}; "
        f"lost or wrong: {len(outcome.lost)}; sent again after 429: {outcome.retried}; "
        f"silent connections at most {outcome.most_silent}"
    )
    for line in outcome.lost[:5]:
        say(line[:300])


def _report_probes(seconds: dict[str, list[float]]) -> None:
    for path, times in seconds.items():
        p50, p99, longest = 1e3 * np.percentile(times, [50, 99, 100])
        say(
            f"{path}: {len(times)} looks, p50 {p50:.0f} ms, p99 {p99:.0f} ms, "
            f"longest {longest:.0f} ms"
        )


def _report_memory(samples: Sequence[int]) -> None:
    """The spread about the middle of what was sampled after the warm-up."""
    low, middle, high = np.percentile(samples, [0, 50, 100]) / 1e6
    first, last = (np.median(part) / 1e6 for part in (samples[:20], samples[-20:]))
    say(
        f"resident memory after the warm-up: {first:.0f} MB, at the end {last:.0f} MB; "
        f"{low:.0f} to {high:.0f} MB, {100 * (low / middle - 1):+.1f} % to "
        f"{100 * (high / middle - 1):+.1f} % of the median"
    )


def _report_files(server: Running, added: str, log: Path) -> None:
    status, end = 0, time.monotonic() + 30
    while status != 200 and time.monotonic() < end:
        time.sleep(0.5)
        url = f"{server.address}/models/{added}"
        status = httpx2.post(url, json={"inputs": "a"}, timeout=60).status_code
    lines = [
        line
        for line in httpx2.get(f"{server.address}/metrics").text.splitlines()
        if line.startswith(
            ("maskjax_task_files_total", "maskjax_dropped_rows_total", "maskjax_tasks")
        )
    ]
    text = log.read_text(errors="replace")
    say(f"a task added at the end: {status}; {'; '.join(lines)}")
    say(f"lines of the log: {len(text.splitlines())}, tracebacks: {text.count('Traceback')}")


if __name__ == "__main__":
    tyro.cli(main)
