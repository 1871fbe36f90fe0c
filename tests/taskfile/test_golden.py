"""Files of every format version so far: they stay as they are, and stay readable.

A golden file is made once, when a format version is published, by

    python tests/taskfile/test_golden.py FILE
"""

import sys
from pathlib import Path

import numpy as np
import pytest

from maskjax.masking import Start
from maskjax.taskfile import TaskFile, load_task_file, make_task_file, save_task_file
from maskjax.taskfile.coding import initial_mask

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.safetensors"))
START = Start((11, 22), 1 << 30)
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
    frozen = {
        "mask": masks,
        "weight": {"head/kernel": np.linspace(-1, 1, 16, dtype=np.float32).reshape(8, 2)},
        "lora_a": {"half/kernel": np.linspace(0, 1, 10, dtype=np.float32).reshape(5, 2)},
        "lora_b": {"half/kernel": np.linspace(0, 2, 6, dtype=np.float32).reshape(2, 3)},
    }
    return make_task_file(frozen, base, META, {"flips/kernel": START})


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_golden_file_is_read(path):
    file, expected = load_task_file(path), golden_task()
    assert file.digests == expected.digests
    meta = {**expected.meta, "maskjax": file.meta["maskjax"]}
    assert file.meta == meta
    for sort, leaves in expected.frozen.items():
        assert file.frozen[sort].keys() == leaves.keys()
        for name, leaf in leaves.items():
            np.testing.assert_array_equal(file.frozen[sort][name], leaf)


def test_there_is_one_of_the_present_format():
    assert "format-1" in [path.stem for path in GOLDEN]


if __name__ == "__main__":
    save_task_file(Path(sys.argv[1]), golden_task())
