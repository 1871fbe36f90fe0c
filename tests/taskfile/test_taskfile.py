"""Task files: round trip, size, and a disk that is full."""

import json
import signal
import subprocess
import sys
import textwrap
import time

import chex
import numpy as np
import pytest
from safetensors import safe_open

from maskjax.adaptation import Mask
from maskjax.taskfile import (
    load_task_file,
    make_task_file,
    mask_bytes,
    save_task_file,
    write_atomically,
)
from maskjax.taskfile.entries import pack


def test_saved_task_round_trips(tmp_path, task, delta):
    size = save_task_file(tmp_path / "t.safetensors", task)
    file = load_task_file(tmp_path / "t.safetensors")
    assert size == (tmp_path / "t.safetensors").stat().st_size
    assert file.meta == task.meta
    assert file.digests == task.digests
    chex.assert_trees_all_equal(file.delta, pack(delta))
    chex.assert_trees_all_equal_dtypes(file.delta.without(Mask), pack(delta).without(Mask))


def test_the_same_task_gives_the_same_bytes(tmp_path, delta, base, meta):
    for name in ("one", "two"):
        save_task_file(tmp_path / name, make_task_file(delta, base, meta))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_other_readers_of_safetensors_can_open_it(tmp_path, task, meta):
    save_task_file(tmp_path / "t.safetensors", task)
    with safe_open(tmp_path / "t.safetensors", framework="numpy") as file:
        header = json.loads(file.metadata()["maskjax"])
        head = file.get_tensor("weight/head/kernel")
    assert header["task"]["labels"] == meta["task"]["labels"]
    np.testing.assert_array_equal(head, task.delta.weights["head/kernel"])


def test_masks_take_one_bit_per_weight(task):
    assert mask_bytes(task.masks) == 5 + 1


def test_file_without_masks_round_trips(tmp_path, delta, base, meta):
    save_task_file(tmp_path / "t", make_task_file(delta.without(Mask), base, meta))
    assert load_task_file(tmp_path / "t").masks == {}


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path):
    """A process whose files may not grow past 4 kB: the kernel refuses the write for real."""
    path = tmp_path / "t.bin"
    write_atomically(path, b"old")
    code = f"""
        import resource, signal
        from pathlib import Path
        from maskjax.errors import InputError
        from maskjax.taskfile import write_atomically
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        try:
            write_atomically(Path({str(path)!r}), bytes(100_000))
        except InputError as error:
            print("refused:", error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("refused:")
    assert "t.bin: cannot be written" in done.stdout
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["t.bin"]


@pytest.mark.slow
def test_a_killed_save_leaves_the_old_file_or_the_new_one(tmp_path):
    """A process that saves two contents in turn without end is killed at four moments."""
    path = tmp_path / "t.bin"
    size = 300_000
    code = f"""
        from itertools import cycle
        from pathlib import Path
        from maskjax.taskfile.atomic import write_atomically
        for letter in cycle((b"a", b"b")):
            write_atomically(Path({str(path)!r}), letter * {size})
            print("saved", flush=True)
    """
    for wait in (0, 0.01, 0.02, 0.03):
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True
        )
        with process:
            assert process.stdout is not None
            assert process.stdout.readline() == "saved\n"
            time.sleep(wait)
            process.send_signal(signal.SIGKILL)
        content = path.read_bytes()
        assert content in (b"a" * size, b"b" * size)
