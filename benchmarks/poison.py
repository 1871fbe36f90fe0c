"""What may lie in a folder of tasks and is no task."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from benchmarks.mutants import mutants

Poison = Callable[[Path, bytes, np.random.Generator], None]


def _link(target: str) -> Poison:
    return lambda path, good, random: path.symlink_to(target)


def _sparse(head: bytes, size: int) -> Poison:
    def write(path: Path, good: bytes, random: np.random.Generator) -> None:
        path.write_bytes(head)
        os.truncate(path, size)

    return write


def _flipped(path: Path, good: bytes, random: np.random.Generator) -> None:
    changed = bytearray(good)
    changed[int(random.integers(len(good)))] ^= 1 << int(random.integers(8))
    path.write_bytes(changed)


def _signed(path: Path, good: bytes, random: np.random.Generator) -> None:
    path.write_bytes(next(mutants(good, 1, int(random.integers(2**31)))))


def _run_folder(path: Path, good: bytes, random: np.random.Generator) -> None:
    run = path.with_suffix("")
    run.mkdir()
    (run / "task.safetensors").write_bytes(random.bytes(1000))


def _deep(path: Path, good: bytes, random: np.random.Generator) -> None:
    """Many folders in each other, by relative steps, since the whole path is too long."""
    path.mkdir()
    here = os.open(".", os.O_RDONLY)
    try:
        os.chdir(path)
        for _ in range(500):
            os.mkdir("deeper")
            os.chdir("deeper")
    finally:
        os.chdir(here)
        os.close(here)


KINDS: dict[str, Poison] = {
    "random": lambda path, good, random: _write(path, random.bytes(10_000)),
    "empty": lambda path, good, random: _write(path, b""),
    "text": lambda path, good, random: _write(path, b'{"labels": ["a"]}'),
    "cut": lambda path, good, random: _write(path, good[: int(random.integers(len(good)))]),
    "flipped": _flipped,
    "signed": _signed,
    "signed again": _signed,
    "header of 2^63 bytes": _sparse((2**63).to_bytes(8, "little"), 1000),
    "header of 100 MB": _sparse((100_000_000).to_bytes(8, "little"), 100_000_100),
    "sparse, 6 GB": _sparse((100).to_bytes(8, "little"), 6 << 30),
    "pipe": lambda path, good, random: os.mkfifo(path),
    "folder": lambda path, good, random: path.mkdir(),
    "run": _run_folder,
    "deep": _deep,
    "ring": lambda path, good, random: path.symlink_to(path.name),
    "missing": _link("not-there"),
    "device": _link("/dev/zero"),
    "process": _link("/proc/self/mem"),
    "half of a pair \udcff": _signed,
    "two\nlines": lambda path, good, random: _write(path, good),
}
"""Ways to make one, by what they are."""


def poison(folder: Path, good: bytes, count: int, random: np.random.Generator) -> Iterator[Path]:
    """Puts poisoned files into a folder, of all kinds in turn.

    Args:
        folder: The folder.
        good: A valid task file.
        count: How many.
        random: What they hold.

    Yields:
        The path of each, once it is there.
    """
    kinds = list(KINDS.items())
    for number in range(count):
        kind, make = kinds[number % len(kinds)]
        path = folder / f"{kind} {number}.mask"
        make(path, good, random)
        yield path


def _write(path: Path, payload: bytes) -> None:
    path.write_bytes(payload)
