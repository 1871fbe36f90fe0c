"""`maskjax diff` and `maskjax combine` on saved tasks."""

import numpy as np
import pytest

from maskjax.adaptation import Delta
from maskjax.cli.main import main
from maskjax.taskfile import load_task_file, make_task_file, save_task_file

KERNEL = "encoder/layer/{}/output/dense/kernel"
META = {
    "task": {
        "name": "x",
        "kind": "classification",
        "labels": ["a", "b"],
        "metric": "f1",
        "text": ["text"],
    },
    "scores": {},
    "base": {"name": "some/base", "revision": None},
    "tokenizer": {"name": "some/base", "max_length": 16},
    "mask": {"polarity": "1 keeps, 0 drops", "threshold": 0.01, "rules": []},
    "config": {"adaptation": {"method": "mask"}},
}


@pytest.fixture
def runs(tmp_path):
    """Two run folders on one base; in block 1 their masks are opposites."""
    base = {KERNEL.format(block): np.ones((4, 8), np.float32) for block in range(2)}
    random = np.random.default_rng(0)
    one = {path: random.random((4, 8)) > 0.4 for path in base}
    other = {KERNEL.format(0): one[KERNEL.format(0)], KERNEL.format(1): ~one[KERNEL.format(1)]}
    for name, masks in (("one", one), ("other", other)):
        (tmp_path / name).mkdir()
        save_task_file(
            tmp_path / name / "task.safetensors", make_task_file(Delta.of(masks=masks), base, META)
        )
    return tmp_path


def unpacked(file):
    return {path: mask.unpack() for path, mask in load_task_file(file).masks.items()}


def test_diff_prints_overlap_and_dissimilarity(runs, capsys):
    assert main(["diff", str(runs / "one"), str(runs / "other")]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    masks = unpacked(runs / "one" / "task.safetensors")
    kept = np.mean(masks[KERNEL.format(1)])
    chance = kept**2 + (1 - kept) ** 2  # of a mask and one that keeps what it drops
    assert ["0", "0.00", "0.00"] in lines
    assert ["1", f"{1 / chance:.2f}", f"{1 / chance:.2f}"] in lines
    differing, all_kept = 32, 2 * np.sum(masks[KERNEL.format(0)]) + 32
    assert lines[-1][:2] == ["dissimilarity", f"{differing / all_kept:.4f},"]


def test_combine_unites_masks_and_never_overwrites(runs, capsys):
    out = runs / "new.safetensors"
    words = ["combine", str(runs / "one"), str(runs / "other"), "--how", "or", "--out", str(out)]
    assert main(words) == 0
    masks = unpacked(out)
    expected = unpacked(runs / "one" / "task.safetensors")
    np.testing.assert_array_equal(masks[KERNEL.format(0)], expected[KERNEL.format(0)])
    assert masks[KERNEL.format(1)].all()
    assert main(words) == 2
    assert "already exists" in capsys.readouterr().err


def test_combine_restricts_one_task_to_blocks(runs):
    out = runs / "new.safetensors"
    assert main(["combine", str(runs / "one"), "--blocks", "1", "1", "--out", str(out)]) == 0
    assert load_task_file(out).masks.keys() == {KERNEL.format(1)}


def test_files_without_masks_are_refused(runs, capsys):
    save_task_file(runs / "none", make_task_file(Delta(), {}, META))
    assert main(["diff", str(runs / "none"), str(runs / "none")]) == 2
    assert main(["combine", "--out", str(runs / "x")]) == 2
    assert "at least one run folder" in capsys.readouterr().err
