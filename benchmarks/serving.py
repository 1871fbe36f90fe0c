"""The server under load on loopback, against calling the predictor with the same rows.

    python -m benchmarks.serving
    python -m benchmarks.serving --requests 4000 --clients 64 --tasks 16

Task files with random masks are written for the base; every request is one text of random length
for a random task. The predictor answers all of them in this process, and in turn with it the
server does, in a process of its own: as many clients as asked for, here, each send one request
after the other. The predictor is called twice, with as many rows at a time as there are clients,
which is what the server has in hand, and with all rows at once, where it groups many of a task.
All are compiled and warm. Clients, server and model share the cores of one machine, so that what
clients and HTTP cost is in the ratios.
"""

import asyncio
import contextlib
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import aiohttp
import httpx2
import jax
import numpy as np
import tyro

from benchmarks.harness import say, timed
from maskjax.adaptation import Delta, masked_rules
from maskjax.config import AdaptationConfig, Config, ModelConfig, TaskConfig
from maskjax.inference import Predictor
from maskjax.masking import flatten_with_paths
from maskjax.masking.selection import select_paths
from maskjax.models import build_model, head_paths, load_base, with_head
from maskjax.taskfile import make_meta, make_task_file, save_task_file
from maskjax.tasks import Task

WORDS = (
    "a",
    "the",
    "film",
    "book",
    "was",
    "is",
    "very",
    "good",
    "bad",
    "long",
    "short",
    "and",
    "but",
)
LONGEST = 110
"""Words of the longest text; MiniLM's tokens are these words and two more."""
START_SECONDS = 300


def main(
    *,
    base: str = "minilm",
    tasks: int = 16,
    requests: int = 4000,
    clients: int = 64,
    repeats: int = 3,
    seed: int = 0,
) -> None:
    """Prints a line for each measure.

    Args:
        base: The base.
        tasks: Task files.
        requests: Requests, all of them in each repeat.
        clients: How many are under way at a time.
        repeats: How often both are timed, in turn.
        seed: The seed of masks, texts and tasks.
    """
    random = np.random.default_rng(seed)
    names = [f"task{number:03}" for number in range(tasks)]
    texts = [" ".join(random.choice(WORDS, text_length(random))) for _ in range(requests)]
    asked = [names[number] for number in random.integers(tasks, size=requests)]
    ratios: list[list[float]] = []
    with tempfile.TemporaryDirectory() as folder:
        write_tasks(Path(folder), base, names, random)
        predictor = Predictor(base, sorted(Path(folder).glob("*.safetensors")))
        predictor.warm_up()

        def call(rows: int) -> None:
            for start in range(0, requests, rows):
                stop = start + rows
                predictor(texts[start:stop], tasks=asked[start:stop])

        with running_server(base, Path(folder)) as (address, _):
            for number in range(repeats + 1):
                latencies: list[float] = []
                direct = [timed(lambda rows=rows: call(rows))[1] for rows in (clients, requests)]
                _, seconds = timed(
                    lambda into=latencies: _load(address, texts, asked, clients, into)
                )
                if number:  # the first one is for what is compiled or loaded late
                    ratios.append([each / seconds for each in direct])
                    _report(latencies, seconds, *direct)
    few, all_rows = np.median(ratios, axis=0)
    say(f"of the predictor: {few:.2f} with {clients} rows a call, {all_rows:.2f} with all rows")


def _report(latencies: list[float], seconds: float, few: float, all_rows: float) -> None:
    rows = len(latencies)
    p50, p99 = 1e3 * np.percentile(latencies, [50, 99])
    say(
        f"{rows:,} answers, no error; p50 {p50:.0f} ms, p99 {p99:.0f} ms, {rows / seconds:.1f} "
        f"requests/s; the predictor {rows / few:.1f} rows/s, with all at once {rows / all_rows:.1f}"
    )


def text_length(random: np.random.Generator) -> int:
    """Words of a text: most are short, some are long."""
    return min(LONGEST, 3 + int(random.exponential(25)))


def write_tasks(folder: Path, base: str, names: Sequence[str], random: np.random.Generator) -> None:
    """Writes task files with random masks for a base."""
    loaded = load_base(base)
    config = Config(model=ModelConfig(base=base), task=TaskConfig(max_length=128))
    leaves = flatten_with_paths(loaded.params)
    for number, name in enumerate(names):
        task = Task(name=name, labels=("bad", "good", "neither")[: 2 + number % 2])
        model = build_model(loaded.config, task.num_outputs, kind=task.kind)
        whole = flatten_with_paths(with_head(loaded.params, model, jax.random.key(number)))
        paths = select_paths(list(whole), masked_rules(AdaptationConfig(), model))
        masks = {path: random.random(whole[path].shape) >= 0.05 for path in paths}
        head = {path: np.asarray(whole[path]) for path in head_paths(model)}
        meta = make_meta(task, loaded, config, {})
        file = make_task_file(Delta.of(weights=head, masks=masks), leaves, meta)
        save_task_file(folder / f"{name}.safetensors", file)


class Running(NamedTuple):
    """A server in a process of its own.

    Attributes:
        address: Where it answers.
        process: The process.
    """

    address: str
    process: "subprocess.Popen[bytes]"


@contextlib.contextmanager
def running_server(
    base: str, folder: Path, log: int | BinaryIO = subprocess.DEVNULL
) -> Iterator[Running]:
    """`maskjax serve` in a process of its own, once it is ready.

    Args:
        base: The base.
        folder: Its tasks.
        log: Where its log goes.

    Yields:
        The server, which is ended afterwards.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = ["serve", "--base", base, "--tasks", str(folder), "--port", str(port)]
    program = f"from maskjax.cli.main import main; raise SystemExit(main({words!r}))"
    address = f"http://127.0.0.1:{port}"
    with subprocess.Popen([sys.executable, "-c", program], stderr=log) as process:
        try:
            wait_until_ready(address)
            yield Running(address, process)
        finally:
            process.terminate()


def wait_until_ready(address: str) -> None:
    """Waits until `/readyz` is 200."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(httpx2.TransportError):
            if httpx2.get(f"{address}/readyz").status_code == 200:
                return
        time.sleep(0.1)
    raise TimeoutError(f"The server was not ready after {START_SECONDS} s.")


def _load(
    address: str, texts: Sequence[str], asked: Sequence[str], clients: int, into: list[float]
) -> None:
    """Sends all requests; an answer that is none ends the benchmark."""
    rows = iter(zip(texts, asked, strict=True))

    async def ask(session: aiohttp.ClientSession) -> None:
        for text, task in rows:
            start = time.perf_counter()
            async with session.post(f"/models/{task}", json={"inputs": text}) as response:
                response.raise_for_status()
                await response.read()
            into.append(time.perf_counter() - start)

    async def ask_all() -> None:
        connections = aiohttp.TCPConnector(limit=clients)
        async with aiohttp.ClientSession(address, connector=connections) as session:
            await asyncio.gather(*(ask(session) for _ in range(clients)))

    asyncio.run(ask_all())


if __name__ == "__main__":
    tyro.cli(main)
