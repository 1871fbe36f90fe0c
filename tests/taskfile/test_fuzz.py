"""Mutated task files: refused in one line, or, signed again, read as something that can be used.

The short run is part of every test run; the long one is `pytest -m slow tests/taskfile`.
"""

import resource
import struct
from pathlib import Path

import numpy as np
import pytest

from benchmarks.mutants import mutants
from maskjax.adaptation import Delta
from maskjax.config import config_from_dict, known_settings
from maskjax.errors import InputError
from maskjax.masking.packed import PackedMask
from maskjax.taskfile import (
    TaskFile,
    check_base,
    make_task_file,
    read_task_file,
    save_task_file,
    task_card,
)
from maskjax.taskfile.meta import task_of

LONG = 30_000
SHAPES = {"a/kernel": (48, 64), "b/kernel": (16, 8), "c/bias": (5,)}
MEMORY = 1 << 26
"""Bytes by which the process may grow, besides the masks of the largest file that it reads."""
LARGE = 1 << 24
"""Weights of a file that is only read: one such mask takes a fifth of `MEMORY` to use."""


@pytest.fixture(scope="module")
def payload(tmp_path_factory) -> bytes:
    """A task with masks in two encodings and a head."""
    random = np.random.default_rng(0)
    delta = Delta.of(
        masks={path: random.random(shape) > 0.06 for path, shape in SHAPES.items()},
        weights={"head/kernel": random.normal(size=(8, 2)).astype(np.float32)},
    )
    meta = {
        "task": {"name": "x", "kind": "classification", "labels": ["no", "yes"], "metric": "f1",
                 "text": ["text"]},
        "scores": {"dev": 0.5},
        "base": {"name": "some/base", "revision": None},
        "tokenizer": {"name": "some/base", "max_length": 16},
        "mask": {"polarity": "1 keeps, 0 drops", "threshold": 0.01, "rules": [".*"]},
        "config": {"adaptation": {"method": "mask"}, "train": {"batch_size": 8}},
    }  # fmt: skip
    path = tmp_path_factory.mktemp("task") / "t"
    save_task_file(path, make_task_file(delta, make_base(), meta))
    return path.read_bytes()


def make_base() -> dict[str, np.ndarray]:
    random = np.random.default_rng(1)
    return {path: random.normal(size=shape).astype(np.float32) for path, shape in SHAPES.items()}


def flip_bits(random, data):
    for _ in range(random.integers(1, 4)):
        data[random.integers(len(data))] ^= 1 << random.integers(8)
    return data


def truncate(random, data):
    return data[: random.integers(len(data))]


def extend(random, data):
    return data + random.bytes(random.integers(1, 40))


def overwrite(random, data):
    at, length = random.integers(len(data)), random.integers(1, 30)
    data[at : at + length] = random.bytes(len(data[at : at + length]))
    return data


def swap(random, data):
    length = random.integers(1, 64)
    one, two = random.integers(0, len(data) - length, 2)
    data[one : one + length], data[two : two + length] = (
        data[two : two + length],
        data[one : one + length],
    )
    return data


def declare_a_huge_header(random, data):
    data[:8] = struct.pack("<Q", int(random.integers(1 << 40, 1 << 63)))
    return data


def edit_a_number(random, data):
    """A digit in the header becomes others, often many."""
    end = 8 + int.from_bytes(data[:8], "little")
    digits = [at for at in range(8, min(end, len(data))) if 48 <= data[at] <= 57]
    at = digits[random.integers(len(digits))]
    new = str(random.integers(10 ** random.integers(1, 18))).encode()
    data[at : at + 1] = new
    data[:8] = struct.pack("<Q", end - 8 + len(new) - 1)
    return data


MUTATIONS = (flip_bits, truncate, extend, overwrite, swap, declare_a_huge_header, edit_a_number)


def run_unsigned(payload: bytes, count: int) -> None:
    """Whatever is changed, the file is refused."""
    random = np.random.default_rng(1)
    for number in range(count):
        mutation = MUTATIONS[number % len(MUTATIONS)]
        changed = bytes(mutation(random, bytearray(payload)))
        if changed != payload:
            with pytest.raises(InputError) as caught:
                read_task_file(changed, "t")
            check_one_line(caught.value)


def run_signed(payload: bytes, count: int, folder: Path) -> tuple[int, int]:
    """A file that is changed and signed again is refused, by its base at the latest, or can be used
    fully. Counts the files that were read, and the bytes of the masks of the largest."""
    accepted = largest = 0
    for mutant in mutants(payload, count):
        try:
            file = read_task_file(mutant, "t")
        except InputError as error:
            check_one_line(error)
            continue
        accepted += 1
        largest = max(largest, sum(mask.bits.nbytes for mask in file.masks.values()))
        if sum(mask.size for mask in file.masks.values()) > LARGE:
            # A mask that keeps everything takes a few bytes of a file, whatever its shape.
            with pytest.raises(InputError, match="shape"):
                check_base(file, make_base(), {"head/kernel"})
        else:
            check_use(file, folder)
    return accepted, largest


def check_use(file: TaskFile, folder: Path) -> None:
    """What was read is whole, can be described, and is written as it was read."""
    check_whole(file)
    task_card(file.meta, repository="a/b", size=1)
    task_of(file)
    save_task_file(folder / "again", file)
    again = read_task_file((folder / "again").read_bytes(), "t")
    assert again.meta == file.meta
    assert again.digests == file.digests
    for follow in (
        lambda: config_from_dict(known_settings(file.meta["config"]), "t"),
        lambda: check_base(file, make_base(), {"head/kernel"}),
    ):
        try:
            follow()
        except InputError as error:
            check_one_line(error)


def check_one_line(error: InputError) -> None:
    assert str(error).isprintable()
    assert len(str(error)) < 1500


def check_whole(file: TaskFile) -> None:
    for mask in file.masks.values():
        np.testing.assert_array_equal(PackedMask.of(mask.unpack()).bits, mask.bits)


def test_the_unchanged_file_is_read(payload):
    check_whole(read_task_file(payload, "t"))


def test_mutations_are_refused(payload):
    run_unsigned(payload, 1500)


def test_signed_mutations_are_refused_or_used(payload, tmp_path):
    accepted, _ = run_signed(payload, 1500, tmp_path)
    assert accepted > 20


@pytest.mark.slow
def test_many_mutations_are_refused(payload, tmp_path):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run_unsigned(payload, LONG)
    _, largest = run_signed(payload, LONG, tmp_path)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert largest > LARGE // 8
    assert 1024 * grown < MEMORY + largest
