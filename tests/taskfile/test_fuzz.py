"""Mutated task files: refused in one line, or, signed anew, read as masks of the declared shapes.

The short run is part of every test run; the long one is `pytest -m slow tests/taskfile`.
"""

import json
import resource
import struct

import numpy as np
import pytest

from maskjax.errors import InputError
from maskjax.masking import PackedMask
from maskjax.taskfile import TaskFile, make_task_file, read_task_file
from maskjax.taskfile.container import pack_container, unpack_container
from maskjax.taskfile.entries import Parts, encode_entries

LONG = 100_000
MEMORY = 1 << 29
"""Bytes by which the process may grow: what the largest file that is not refused may take."""


@pytest.fixture(scope="module")
def payload(request):
    return make_payload()


def make_payload() -> bytes:
    """A task with masks in two encodings, a head and factors."""
    random = np.random.default_rng(0)
    shapes = {"a/kernel": (48, 64), "b/kernel": (16, 8), "c/bias": (5,)}
    base = {path: random.normal(size=shape).astype(np.float32) for path, shape in shapes.items()}
    frozen = {
        "mask": {path: random.random(shape) > 0.06 for path, shape in shapes.items()},
        "weight": {"head/kernel": random.normal(size=(8, 2)).astype(np.float32)},
    }
    meta = {
        "task": {"name": "x", "kind": "classification", "labels": ["no", "yes"], "metric": "f1",
                 "text": ["text"]},
        "scores": {"dev": 0.5},
        "base": {"name": "some/base", "revision": None},
        "tokenizer": {"name": "some/base", "max_length": 16},
        "mask": {"polarity": "1 keeps, 0 drops", "threshold": 0.01, "rules": [".*"]},
        "config": {"adaptation": {"method": "mask"}},
    }  # fmt: skip
    file = make_task_file(frozen, base, meta)
    tensors, entries = encode_entries(Parts(file.masks, file.arrays, file.digests), {})
    return pack_container(tensors, {"format": 1, **file.meta, "entries": entries})


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


def run_signed(payload: bytes, count: int) -> int:
    """Changed inside and signed anew, as a forger would: refused, or masks that are whole."""
    random = np.random.default_rng(2)
    tensors, header = unpack_container(payload, "t")
    accepted = 0
    for number in range(count):
        changed = dict(tensors)
        text = bytearray(json.dumps(header).encode())
        if number % 3:
            name = list(tensors)[random.integers(len(tensors))]
            raw = bytearray(tensors[name].tobytes())
            mutation = (flip_bits, truncate, extend, overwrite, swap)[number % 5]
            raw = mutation(random, raw)
            if len(raw) == tensors[name].nbytes:
                changed[name] = np.frombuffer(bytes(raw), tensors[name].dtype).reshape(
                    tensors[name].shape
                )
            else:
                changed[name] = np.frombuffer(bytes(raw), np.uint8)
        else:
            text = (flip_bits, overwrite, swap)[number % 2](random, text)
        accepted += read_signed(changed, text)
    return accepted


def read_signed(tensors: dict[str, np.ndarray], text: bytearray) -> bool:
    try:
        header = json.loads(text.decode("utf8", "replace"))
    except ValueError:
        return False
    if not isinstance(header, dict) or "checksum" in header:
        return False
    try:
        file = read_task_file(pack_container(tensors, header), "t")
    except InputError as error:
        check_one_line(error)
        return False
    check_whole(file)
    return True


def check_one_line(error: InputError) -> None:
    assert "\n" not in str(error)


def check_whole(file: TaskFile) -> None:
    for mask in file.masks.values():
        np.testing.assert_array_equal(PackedMask.of(mask.unpack()).bits, mask.bits)


def test_the_unchanged_file_is_read(payload):
    check_whole(read_task_file(payload, "t"))


def test_mutations_are_refused(payload):
    run_unsigned(payload, 1500)
    assert run_signed(payload, 400) > 0


@pytest.mark.slow
def test_many_mutations_are_refused(payload):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run_unsigned(payload, LONG)
    run_signed(payload, LONG // 5)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert 1024 * grown < MEMORY
