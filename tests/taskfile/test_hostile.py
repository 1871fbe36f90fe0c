"""Files that declare much are refused from their header, or read in little more memory."""

import json
import time
import tracemalloc

import numpy as np
import pytest

from benchmarks.mutants import Opened, open_payload, sign
from maskjax.adaptation import Delta
from maskjax.errors import InputError
from maskjax.taskfile import (
    check_base,
    load_task_file,
    make_task_file,
    read_content,
    read_task_file,
    read_task_header,
    save_task_file,
)
from maskjax.taskfile import header as header_module
from maskjax.taskfile.limits import MAX_HEADER

MOST_MEMORY = 1 << 26
MOST_SECONDS = 1.0
"""Processor time: ten times what is wanted, since the machine of a test may be busy."""


@pytest.fixture
def opened(task, tmp_path) -> Opened:
    save_task_file(tmp_path / "t", task)
    return open_payload((tmp_path / "t").read_bytes())


@pytest.fixture
def no_content(monkeypatch):
    """Nothing is decoded and no array is read."""
    for name in ("decode_stream", "read_tensor"):
        monkeypatch.setattr(header_module, name, lambda *_, **__: pytest.fail("content was read"))


def declaring(opened: Opened, shapes: dict[str, list[int]], payload: bytes) -> bytes:
    """A file of masks of these shapes, in a payload of one's own."""
    entries = {f"mask/{path}": {"shape": shape, "zeros": 0} for path, shape in shapes.items()}
    size = len(payload)
    outer = {"masks": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}
    return sign(Opened(outer, {**opened.header, "entries": entries}, payload))


def ones(count: int) -> bytes:
    """The payload of masks that keep everything: two bytes each."""
    return bytes(8) + b"\x01\xff" * count


def refuse_cheaply(read, match: str) -> None:
    tracemalloc.start()
    before = time.process_time()
    with pytest.raises(InputError, match=match) as caught:
        read()
    seconds, peak = time.process_time() - before, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert str(caught.value).isprintable()
    assert peak < MOST_MEMORY
    assert seconds < MOST_SECONDS


def test_small_file_that_declares_too_many_weights_is_refused(opened, no_content):
    for shapes in ({"x": [2**32, 2]}, {"x": [2**31], "y": [2**31 + 1]}, {"x": [2**61, 2**61]}):
        payload = declaring(opened, shapes, ones(len(shapes)))
        refuse_cheaply(lambda p=payload: read_task_file(p, "t"), "masked weights|with a shape")


def test_shapes_are_compared_with_the_base_before_decoding(opened, base, no_content, tmp_path):
    path = tmp_path / "hostile"
    path.write_bytes(declaring(opened, {"a/kernel": [1 << 16, 1 << 15]}, ones(1)))
    refuse_cheaply(lambda: load_task_file(path, base), r"a/kernel: expected shape \(5, 7\)")
    header = read_task_header(path)
    refuse_cheaply(lambda: check_base(header, base, ()), r"expected shape \(5, 7\)")
    path.write_bytes(declaring(opened, {"unknown": [8, 8]}, ones(1)))
    refuse_cheaply(lambda: load_task_file(path, base), "unknown: it has no such leaf")


def test_another_base_is_detected_before_decoding(task, base, no_content, tmp_path):
    save_task_file(tmp_path / "t", task)
    header = read_task_header(tmp_path / "t")
    check_base(header, base | {"head/kernel": np.zeros((7, 2))}, {"head/kernel"})
    other = {path: leaf + 1 for path, leaf in base.items()}
    with pytest.raises(InputError, match="another base"):
        check_base(header, other | {"head/kernel": np.zeros((7, 2))}, {"head/kernel"})


def test_masks_longer_than_their_bits_are_refused(opened):
    refuse_cheaply(
        lambda: read_task_file(declaring(opened, {"x": [8, 8]}, bytes(1 << 20)), "t"),
        "at most 17 bytes for these masks, got 1,048,576",
    )


def test_large_header_is_refused_cheaply(opened, tmp_path):
    text = json.dumps({str(number): [] for number in range(400_000)}).encode()
    assert len(text) > MAX_HEADER
    (tmp_path / "t").write_bytes(len(text).to_bytes(8, "little") + text)
    refuse_cheaply(lambda: load_task_file(tmp_path / "t"), "its header has")
    with (tmp_path / "sparse").open("wb") as file:
        file.write((100_000_000).to_bytes(8, "little"))
        file.truncate(100_000_008)
    refuse_cheaply(lambda: load_task_file(tmp_path / "sparse"), "its header has 100,000,000 bytes")


def test_header_of_too_many_values_is_refused_cheaply(opened):
    for place in (opened.outer, opened.header):
        key, place["x"] = "x", [[] for _ in range(250_000)]
        refuse_cheaply(lambda: read_task_file(sign(opened), "t"), "values, more than 200,000")
        del place[key]


def test_sparse_file_of_six_gigabytes_is_refused_cheaply(task, opened, tmp_path):
    save_task_file(tmp_path / "t", task)
    with (tmp_path / "t").open("r+b") as file:
        file.truncate(6 << 30)
    refuse_cheaply(lambda: load_task_file(tmp_path / "t"), "has 6,442,450,944 bytes")
    size = 6 << 30
    spec = {"dtype": "F32", "shape": [size // 4], "data_offsets": [0, size]}
    entries = {"weight/x": {"shape": [size // 4], "dtype": "float32"}}
    head = sign(Opened({"weight/x": spec}, {**opened.header, "entries": entries}, b""))
    with (tmp_path / "declared").open("wb") as file:
        file.write(head)
        file.truncate(len(head) + size)
    refuse_cheaply(lambda: load_task_file(tmp_path / "declared"), "numbers in arrays, more than")
    entries["weight/x"]["shape"] = spec["shape"] = [1 << 30]
    spec["data_offsets"] = [0, 4 << 30]
    head = sign(Opened({"weight/x": spec}, {**opened.header, "entries": entries}, b""))
    with (tmp_path / "declared").open("wb") as file:
        file.write(head)
        file.truncate(len(head) + (4 << 30))
    leaves = {"x": np.zeros((7, 2))}
    refuse_cheaply(lambda: load_task_file(tmp_path / "declared", leaves), r"shape \(7, 2\)")


def test_masks_are_read_in_little_more_than_their_bits(meta, tmp_path):
    random = np.random.default_rng(0)
    chances = 0.2 * random.random((1 << 13, 1))
    mask = random.random((1 << 13, 1 << 13), np.float32) > chances
    leaves = {"a": np.zeros((1 << 13, 1 << 13), np.float32)}
    save_task_file(tmp_path / "t", make_task_file(Delta.of(masks={"a": mask}), leaves, meta))
    read_content(read_task_header(tmp_path / "t"))  # fills the tables that all files share
    tracemalloc.start()
    read_content(read_task_header(tmp_path / "t"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.5 * (1 << 26) / 8 + (1 << 24)


def test_file_changed_while_read_is_refused(task, tmp_path):
    save_task_file(tmp_path / "t", task)
    header = read_task_header(tmp_path / "t")
    save_task_file(tmp_path / "t", task.with_masks({})._replace(digests={}))
    with pytest.raises(InputError, match="changed while it was read"):
        read_content(header)


@pytest.mark.parametrize("kind", ["folder", "loop", "missing"])
def test_paths_that_are_no_files_are_refused(tmp_path, kind):
    path = tmp_path / "t"
    if kind == "folder":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to(path)
    with pytest.raises(InputError, match=r"t: (no such task file|cannot be read)"):
        load_task_file(path)
