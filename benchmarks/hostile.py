"""Task files made to cost memory and time: how many are refused, and what the worst takes.

    python -m benchmarks.hostile                  # 100,000 signed mutations, and forged files
    python -m benchmarks.hostile --mutations 2000

Files that a forger makes have the right checksum, and the right digests of the base where that
helps. Time is that of the processor and memory is resident memory above what the process has
before a file, both of reading one file. A file of a base may take 64 MB and 1.5 times its packed
masks and arrays, and 0.1 s more than the slowest honest file of that base.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from benchmarks.mutants import Opened, mutants, open_payload, sign
from maskjax.adaptation import Delta
from maskjax.cli.main import main as command
from maskjax.errors import InputError
from maskjax.masking.packed import PackedMask, RandomMaskSpec
from maskjax.taskfile import (
    BaseDigests,
    TaskFile,
    check_base,
    make_task_file,
    read_content,
    read_task_file,
    read_task_header,
    save_task_file,
)
from maskjax.taskfile.codec import initial_mask
from maskjax.taskfile.limits import MAX_WEIGHTS

HEAD = "classifier/kernel"
META = {
    "task": {"name": "x", "kind": "classification", "labels": ["no", "yes"], "metric": "accuracy",
             "text": ["text"]},
    "scores": {"dev": 0.75},
    "base": {"name": "some/base", "revision": None},
    "tokenizer": {"name": "some/base", "max_length": 128},
    "mask": {"polarity": "1 keeps, 0 drops", "threshold": 0.01, "rules": [".*/kernel"]},
    "config": {"adaptation": {"method": "mask"}},
}  # fmt: skip
Base = dict[str, np.ndarray]


class Cost(NamedTuple):
    """What reading a file took.

    Attributes:
        outcome: "read", "refused", or the class of another exception.
        seconds: The processor's time.
        memory: Bytes of resident memory at most, above those before.
    """

    outcome: str
    seconds: float
    memory: int


def measure(read: Callable[[], Any]) -> Cost:
    """Reads a file.

    Args:
        read: What reads it.

    Returns:
        The cost.
    """
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts from what is resident now
    before, start = _status("VmRSS"), time.process_time()
    outcome = "read"
    try:
        read()
    except InputError:
        outcome = "refused"
    except Exception as error:  # what this script is there to find
        outcome = type(error).__name__
    return Cost(outcome, time.process_time() - start, max(_status("VmHWM") - before, 0))


def _status(key: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return 1024 * int(line.split()[1])
    raise KeyError(key)


def make_base() -> Base:
    """Leaves of the shapes of MiniLM, 12 blocks of width 384."""
    shapes = {"embeddings/word": (30522, 384)}
    for block in range(12):
        place = f"encoder/layer/{block}"
        shapes |= {f"{place}/{name}/kernel": (384, 384) for name in ("q", "k", "v", "o")}
        shapes |= {f"{place}/up/kernel": (384, 1536), f"{place}/down/kernel": (1536, 384)}
    random = np.random.default_rng(0)
    return {path: random.random(shape, np.float32) for path, shape in shapes.items()}


def honest_files(base: Base, folder: Path) -> Iterator[Path]:
    """Files as they are trained: dense, sparse and nearly empty masks, and random starts."""
    random = np.random.default_rng(0)
    kernels = {path: leaf.shape for path, leaf in base.items() if path.endswith("/kernel")}
    for zeros in (0.5, 0.05, 1e-4):
        masks = {path: random.random(shape) > zeros for path, shape in kernels.items()}
        yield _save(folder / f"{zeros}", masks, base)
    starts = {path: RandomMaskSpec((1, place), 1 << 28) for place, path in enumerate(kernels)}
    masks = {}
    for path, shape in kernels.items():
        masks[path] = initial_mask(starts[path], shape).unpack() ^ (random.random(shape) < 0.01)
    yield _save(folder / "start", masks, base, starts)


def _save(
    path: Path, masks: Any, base: Base, starts: Mapping[str, RandomMaskSpec] | None = None
) -> Path:
    delta = Delta.of(weights={HEAD: np.ones((384, 2), np.float32)}, masks=masks)
    save_task_file(path, make_task_file(delta, base, META, starts or {}))
    return path


def payload_of(masks: Mapping[str, tuple[int, ...]], record: bytes, lanes: int) -> bytes:
    """Masks that are all coded with one record, in lanes that never ask for a word."""
    states = np.full(lanes, 1 << 31, "<u8").tobytes()
    return lanes.to_bytes(4, "little") + bytes(4) + record * len(masks) + states


def declare(
    honest: Opened, masks: Mapping[str, tuple[int, ...]], payload: bytes, zeros: int = 0
) -> bytes:
    """A signed file of these masks alone, with what digests an honest file has of them."""
    size = len(payload)
    entries = {}
    for path, shape in masks.items():
        known = honest.header["entries"].get(f"mask/{path}", {})
        digest = {"digest": known["digest"]} if "digest" in known else {}
        entries[f"mask/{path}"] = {"shape": list(shape), "zeros": zeros, **digest}
    outer = {"masks": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}
    return sign(Opened(outer, {**honest.header, "entries": entries}, payload))


def forged_files(base: Base, honest: Opened, folder: Path) -> Iterator[Path]:
    """Files that declare much, and files that are as costly to decode as their base lets them."""
    kernels = {path: leaf.shape for path, leaf in base.items() if path.endswith("/kernel")}
    everything = {path: leaf.shape for path, leaf in base.items()}
    flips = b"\x02" + bytes(8) + (1 << 28).to_bytes(4, "little")
    least = sum(leaf.size for leaf in base.values()) // 8 >> 14
    ones = bytes(8) + b"\1\377"
    made = {
        "few bytes for many weights": declare(honest, {"x": (1 << 16, 1 << 16)}, ones),
        "2^40 weights": declare(honest, {"x": (1 << 20, 1 << 20)}, ones),
        "another shape": declare(honest, {next(iter(kernels)): (1 << 15, 1 << 15)},
                                 ones),
        "all leaves, random starts": declare(
            honest, everything, payload_of(everything, flips + b"\xff", 0)
        ),
        "kernels, fewest lanes": declare(
            honest, kernels, payload_of(kernels, b"\1\0\0", (21_233_664 >> 17) + 1)
        ),
        "all leaves, fewest lanes, random starts": declare(
            honest, everything, payload_of(everything, flips + b"\0\0", least + 1)
        ),
        "all leaves, most lanes, offsets": declare(
            honest, everything, payload_of(everything, b"\1\62\2\200\200", 4096)
        ),
        "250,000 values": sign(honest._replace(header={**honest.header, "x": [[]] * 250_000})),
        "8,193 entries": sign(honest._replace(header={**honest.header, "entries": {
            f"weight/{i}": {"shape": [1], "dtype": "float32"} for i in range(8193)}})),
    }  # fmt: skip
    for name, payload in made.items():
        (folder / name).write_bytes(payload)
        yield folder / name
    for name, head, size in (
        ("header of 100 MB", (100_000_000).to_bytes(8, "little"), 100_000_100),
        ("sparse file of 6 GB", sign(honest), 6 << 30),
    ):
        with (folder / name).open("wb") as file:
            file.write(head)
            file.truncate(size)
        yield folder / name


def read_for(base: Base, digests: BaseDigests, path: Path) -> TaskFile:
    """Reads a file as a predictor does: judged, held against the base, decoded."""
    header = read_task_header(path)
    check_base(header, base | {HEAD: np.zeros((384, 2))}, (), digests=digests)
    return read_content(header)


def main(mutations: int = 100_000) -> None:
    """Tries all files and prints what they cost."""
    console, base = Console(), make_base()
    digests = BaseDigests(base)
    table = Table("file", "outcome", "seconds", "MB", title="held against a base")
    with TemporaryDirectory() as name:
        folder = Path(name)
        honest = list(honest_files(base, folder))
        read_for(base, digests, honest[0])  # fills tables, computes digests
        costs = {path.name: measure(lambda p=path: read_for(base, digests, p)) for path in honest}
        opened = open_payload(honest[1].read_bytes())
        for path in forged_files(base, opened, folder):
            costs[path.name] = measure(lambda p=path: read_for(base, digests, p))
        for file, cost in costs.items():
            table.add_row(file, cost.outcome, f"{cost.seconds:.3f}", f"{cost.memory / 1e6:.0f}")
        console.print(table)
        _print_without_base(console, opened, folder)
    _print_mutations(console, mutations)


def _print_without_base(console: Console, honest: Opened, folder: Path) -> None:
    """The largest file that may be declared, in `maskjax info`."""
    path = folder / "largest"
    flips = b"\x02" + bytes(8) + (1 << 28).to_bytes(4, "little") + b"\xff"
    masks = {f"encoder/layer/{i}/x/kernel": (1 << 12, MAX_WEIGHTS >> 16) for i in range(16)}
    path.write_bytes(declare(honest, masks, payload_of(masks, flips, 0)))
    cost = measure(lambda: command(["info", str(path)]))
    console.print(f"info of {MAX_WEIGHTS:,} declared weights: {cost}", highlight=False)


def _print_mutations(console: Console, count: int) -> None:
    outcomes: dict[str, int] = {}
    longest, most = 0.0, 0
    with TemporaryDirectory() as name:
        small = {"a/kernel": (48, 64), "b/kernel": (16, 8), "c/bias": (5,)}
        random = np.random.default_rng(0)
        base = {path: random.random(shape, np.float32) for path, shape in small.items()}
        masks = {path: PackedMask.of(leaf > 0.06).unpack() for path, leaf in base.items()}
        payload = _save(Path(name) / "t", masks, base).read_bytes()
    for mutant in mutants(payload, count):
        cost = measure(lambda m=mutant: read_task_file(m, "t"))
        outcomes[cost.outcome] = outcomes.get(cost.outcome, 0) + 1
        longest, most = max(longest, cost.seconds), max(most, cost.memory)
    console.print(
        f"{count:,} signed mutations: {outcomes}; at most {longest:.3f} s and {most / 1e6:.1f} MB",
        highlight=False,
    )


if __name__ == "__main__":
    tyro.cli(main)
