"""The server under load on loopback, against calling the predictor with the same rows in one go.

    python -m benchmarks.serving
    python -m benchmarks.serving --requests 4000 --clients 64 --tasks 16

Task files with random masks are written for the base; every request is one text of random length
for a random task. First the predictor answers all of them in this process, compiled and once warm. Then `maskjax serve` runs in a process of its own, and as many clients as
asked for, here, each send one request after the other, in a first pass for the compiles and in a
second for the clock. Clients, server and model share the cores of one machine.
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

import httpx2
import jax
import numpy as np
import tyro
from rich.console import Console

from maskjax.adaptation import masked_rules
from maskjax.config import AdaptationConfig, Config, ModelConfig, TaskConfig
from maskjax.inference import Predictor
from maskjax.masking import leaves_by_path, select_paths
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
    *, base: str = "minilm", tasks: int = 16, requests: int = 4000, clients: int = 64, seed: int = 0
) -> None:
    """Prints a line for each measure.

    Args:
        base: The base.
        tasks: Task files.
        requests: Requests that are timed.
        clients: How many are under way at a time.
        seed: Of masks, texts and tasks.
    """
    random = np.random.default_rng(seed)
    names = [f"task{number:03}" for number in range(tasks)]
    texts = [" ".join(random.choice(WORDS, _length(random))) for _ in range(requests)]
    asked = [names[number] for number in random.integers(tasks, size=requests)]
    with tempfile.TemporaryDirectory() as folder:
        _write_tasks(Path(folder), base, names, random)
        direct = _call_directly(base, Path(folder), texts, asked)
        _tell(f"called directly: {requests / direct:.1f} rows/s")
        with _server(base, Path(folder)) as address:
            asyncio.run(_load(address, texts, asked, clients))
            start = time.perf_counter()
            latencies, errors = asyncio.run(_load(address, texts, asked, clients))
            seconds = time.perf_counter() - start
    p50, p99 = np.percentile(latencies, [50, 99])
    _tell(f"{requests:,} requests, {clients} clients: {errors} errors")
    _tell(f"p50 {1e3 * p50:.0f} ms, p99 {1e3 * p99:.0f} ms, {requests / seconds:.1f} requests/s")
    _tell(f"of the predictor's own throughput: {direct / seconds:.2f}")


def _length(random: np.random.Generator) -> int:
    """Words of a text: most are short, some are long."""
    return min(LONGEST, 3 + int(random.exponential(25)))


def _write_tasks(
    folder: Path, base: str, names: Sequence[str], random: np.random.Generator
) -> None:
    loaded = load_base(base)
    config = Config(model=ModelConfig(base=base), task=TaskConfig(max_length=128))
    leaves = leaves_by_path(loaded.params)
    for number, name in enumerate(names):
        task = Task(name=name, labels=("bad", "good", "neither")[: 2 + number % 2])
        model = build_model(loaded.config, task.num_outputs, kind=task.kind)
        whole = leaves_by_path(with_head(loaded.params, model, jax.random.key(number)))
        paths = select_paths(list(whole), masked_rules(AdaptationConfig(), model))
        masks = {path: random.random(whole[path].shape) >= 0.05 for path in paths}
        head = {path: np.asarray(whole[path]) for path in head_paths(model)}
        meta = make_meta(task, loaded, config, {})
        file = make_task_file({"mask": masks, "weight": head}, leaves, meta)
        save_task_file(folder / f"{name}.safetensors", file)


def _call_directly(base: str, folder: Path, texts: Sequence[str], asked: Sequence[str]) -> float:
    """Seconds that the predictor takes for all rows, tokenising included."""
    predictor = Predictor(base, sorted(folder.glob("*.safetensors")))
    predictor.warm_up()
    predictor(texts, tasks=asked)
    start = time.perf_counter()
    predictor(texts, tasks=asked)
    return time.perf_counter() - start


@contextlib.contextmanager
def _server(base: str, folder: Path) -> Iterator[str]:
    """`maskjax serve` in a process of its own; gives its address once it is ready."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = ["serve", "--base", base, "--tasks", str(folder), "--port", str(port)]
    program = f"from maskjax.cli.main import main; raise SystemExit(main({words!r}))"
    address = f"http://127.0.0.1:{port}"
    with subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.DEVNULL) as process:
        try:
            _wait_until_ready(address)
            yield address
        finally:
            process.terminate()


def _wait_until_ready(address: str) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(httpx2.TransportError):
            if httpx2.get(f"{address}/readyz").status_code == 200:
                return
        time.sleep(0.1)
    raise TimeoutError(f"The server was not ready after {START_SECONDS} s.")


async def _load(
    address: str, texts: Sequence[str], asked: Sequence[str], clients: int
) -> tuple[list[float], int]:
    """Seconds of every request, and how many were not answered with 200."""
    rows = iter(zip(texts, asked, strict=True))
    latencies: list[float] = []
    errors = 0

    async def ask(client: httpx2.AsyncClient) -> None:
        nonlocal errors
        for text, task in rows:
            start = time.perf_counter()
            response = await client.post(f"{address}/models/{task}", json={"inputs": text})
            latencies.append(time.perf_counter() - start)
            errors += response.status_code != 200

    limits = httpx2.Limits(max_connections=clients)
    async with httpx2.AsyncClient(limits=limits, timeout=60) as client:
        await asyncio.gather(*(ask(client) for _ in range(clients)))
    return latencies, errors


def _tell(line: str) -> None:
    Console().print(line, highlight=False)


if __name__ == "__main__":
    tyro.cli(main)
