"""Task files: round trip, size, damage, and a disk that is full."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest

from maskjax.errors import InputError
from maskjax.taskfile import load_task_file, mask_bytes, save_task_file, write_atomically


@pytest.fixture
def frozen():
    random = np.random.default_rng(0)
    return {
        "mask": {"a/kernel": random.random((5, 7)) > 0.1, "b/kernel": random.random(3) > 0.5},
        "weight": {"head/kernel": random.normal(size=(7, 2)).astype(np.float32)},
    }


def test_round_trip(tmp_path, frozen):
    size = save_task_file(tmp_path / "t.safetensors", frozen, {"task": {"name": "x"}})
    file = load_task_file(tmp_path / "t.safetensors")
    assert size == (tmp_path / "t.safetensors").stat().st_size
    assert file.meta["task"] == {"name": "x"}
    assert file.frozen.keys() == frozen.keys()
    for sort, leaves in frozen.items():
        for path, leaf in leaves.items():
            assert file.frozen[sort][path].dtype == leaf.dtype
            np.testing.assert_array_equal(file.frozen[sort][path], leaf)


def test_masks_take_one_bit_a_weight(frozen):
    assert mask_bytes(frozen) == 5 + 1


def test_missing_truncated_and_foreign_files_are_named(tmp_path, frozen):
    path = tmp_path / "t.safetensors"
    with pytest.raises(InputError, match=r"t\.safetensors: no such"):
        load_task_file(path)
    save_task_file(path, frozen, {})
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InputError, match=r"t\.safetensors: damaged"):
        load_task_file(path)
    from safetensors.numpy import save_file

    save_file({"x": np.zeros(1)}, path)
    with pytest.raises(InputError, match="not a task file"):
        load_task_file(path)


def test_a_newer_format_asks_for_an_upgrade(tmp_path, frozen):
    path = tmp_path / "t.safetensors"
    save_task_file(path, frozen, {"format": 99})
    with pytest.raises(InputError, match=r"format 99.*upgrade"):
        load_task_file(path)


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
