"""Zeros of a block restored: the params of a smaller mask, and the change in the logits."""

import csv

import numpy as np
import pytest

from maskjax.adaptation import Mask
from maskjax.analysis.runs import load_runs
from maskjax.analysis.zero_ablation import restored_params, zero_ablation
from maskjax.errors import InputError
from maskjax.masking import flatten_with_paths


def test_restored_params_equal_a_mask_without_the_block(finished):
    (run,) = load_runs([finished()])
    params = {**run.saved.params, **run.saved.base.params}
    for block, prefix in {"1": "encoder/layer/1/", "top": "pooler", "all": ""}.items():
        left = run.file.delta.without(Mask, lambda path, prefix=prefix: path.startswith(prefix))
        expected = left.apply(params)
        found = flatten_with_paths(restored_params(run, block))
        for path, leaf in flatten_with_paths(expected).items():
            np.testing.assert_array_equal(found[path], leaf, err_msg=path)


def test_study_resumes_and_lists_each_change(finished, tmp_path):
    (run,) = load_runs([finished()])
    zero_ablation((finished(),), out=tmp_path, rows=12)
    jobs = (tmp_path / "restored.jsonl").read_text()
    zero_ablation((finished(),), out=tmp_path, rows=12)
    assert (tmp_path / "restored.jsonl").read_text() == jobs
    assert len(list(tmp_path.iterdir())) == 4
    rows = list(csv.DictReader((tmp_path / "restored.csv").read_text().splitlines()))
    assert [row["block"] for row in rows] == ["1", "2", "top", "all"]
    zeros = [int(row["zeros"]) for row in rows]
    assert sum(zeros[:3]) == zeros[3] == sum(mask.zeros for mask in run.masks.values())
    assert all(float(row["logit_change"]) > 0 for row in rows)
    split = run.split("dev", 12)
    assert float(rows[0]["score"]) == run.saved.score(split)
    assert {row["rows"] for row in rows} == {"12"}


def test_runs_without_masks_or_split_are_refused(finished, tmp_path):
    with pytest.raises(InputError, match="expected a run with masks"):
        zero_ablation((finished("finetune"),), out=tmp_path)
    with pytest.raises(InputError, match="no split 'test'; there are train, dev"):
        zero_ablation((finished(),), out=tmp_path, split="test")
