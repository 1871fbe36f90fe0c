"""Files of every format version so far: they stay as they are, and stay readable.

A golden file is made once, when a format version is published, by

    python tests/taskfile/test_golden.py FILE
"""

import math
import sys
from pathlib import Path

import chex
import numpy as np
import pytest

from maskjax.adaptation import Delta
from maskjax.masking.packed import RandomMaskSpec, count_packed
from maskjax.taskfile import (
    TaskFile,
    load_task_file,
    make_task_file,
    read_task_header,
    save_task_file,
)
from maskjax.taskfile.codec import initial_mask
from maskjax.taskfile.schema import READABLE

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.safetensors"))
START = RandomMaskSpec((11, 22), 1 << 30)
META = {
    "task": {"name": "golden", "kind": "classification", "labels": ["no", "yes"],
             "metric": "accuracy", "text": ["text"]},
    "scores": {"dev": 0.75},
    "base": {"name": "some/base", "revision": "0123"},
    "tokenizer": {"name": "some/base", "max_length": 16},
    "mask": {"polarity": "1 keeps, 0 drops", "threshold": 0.01, "rules": [".*/kernel"]},
    "config": {"adaptation": {"method": "mask"}},
}  # fmt: skip


def formula(shape: tuple[int, ...], cutoff: float) -> np.ndarray:
    """A mask of well-mixed bits that no random generator has a part in."""
    index = np.arange(np.prod(shape, dtype=int), dtype=np.uint64)
    mixed = (index * np.uint64(2654435761) + np.uint64(12345)) % np.uint64(1 << 32)
    return (mixed >= cutoff * (1 << 32)).reshape(shape)


def golden_task() -> TaskFile:
    """A mask in each encoding, a head and factors, all from formulas."""
    flipped = initial_mask(START, (64, 32)).unpack() ^ ~formula((64, 32), 0.01)
    masks = {
        "few/kernel": formula((64, 48), 0.04),
        "flips/kernel": flipped,
        "half/kernel": formula((5, 3), 0.5),
        "ones/kernel": np.ones((8, 8), bool),
    }
    base = {path: np.arange(mask.size, dtype=np.float32).reshape(mask.shape)
            for path, mask in masks.items()}  # fmt: skip
    head, a, b = (
        np.linspace(low, high, math.prod(shape), dtype=np.float32).reshape(shape)
        for low, high, shape in ((-1, 1, (8, 2)), (0, 1, (5, 2)), (0, 2, (2, 3)))
    )
    delta = Delta.of(weights={"head/kernel": head}, low_rank={"half/kernel": (a, b)}, masks=masks)
    return make_task_file(delta, base, META, {"flips/kernel": START})


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_golden_file_is_read(path):
    file, expected = load_task_file(path), golden_task()
    assert file.digests == expected.digests
    meta = {**expected.meta, "maskjax": file.meta["maskjax"]}
    assert file.meta == meta
    chex.assert_trees_all_equal(file.delta, expected.delta)


def test_every_readable_format_has_a_golden_file():
    assert [path.stem for path in GOLDEN] == [f"format-{number}" for number in READABLE]


def test_written_file_equals_the_newest_golden_file(tmp_path):
    golden, expected = load_task_file(GOLDEN[-1]), golden_task()
    same = {"maskjax": golden.meta["maskjax"]}
    save_task_file(tmp_path / "t", expected._replace(meta={**expected.meta, **same}))
    assert (tmp_path / "t").read_bytes() == GOLDEN[-1].read_bytes()


def test_format_1_does_not_count_zeros_and_format_2_does():
    old, new = (read_task_header(path) for path in GOLDEN)
    assert old.counts is None
    assert new.counts == count_packed(golden_task().masks)


if __name__ == "__main__":
    save_task_file(Path(sys.argv[1]), golden_task())
