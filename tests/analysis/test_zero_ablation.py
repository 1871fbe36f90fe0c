"""Zeros of a block restored: the params of a smaller mask, and the change in the logits."""

import csv

import numpy as np
import pytest
from rich.console import Console

from maskjax.adaptation import Mask
from maskjax.analysis.runs import load_runs
from maskjax.analysis.zero_ablation import restored_params, study_restored
from maskjax.errors import InputError
from maskjax.masking import flatten_with_paths


def test_restored_params_equal_a_mask_without_the_block(finished):
    (run,) = load_runs([finished()])
    params = {**run.predictor.params, **run.predictor.base.params}
    for block, prefix in {"1": "encoder/layer/1/", "top": "pooler", "all": ""}.items():
        left = run.file.delta.without(Mask, lambda path, prefix=prefix: path.startswith(prefix))
        expected = left.apply(params)
        found = flatten_with_paths(restored_params(run, block))
        for path, leaf in flatten_with_paths(expected).items():
            np.testing.assert_array_equal(found[path], leaf, err_msg=path)


def test_study_resumes_and_lists_each_change(finished, tmp_path):
    runs = load_runs([finished()])
    study_restored(runs, tmp_path, Console(quiet=True), rows=12)
    cells = (tmp_path / "restored.jsonl").read_text()
    assert len(study_restored(runs, tmp_path, Console(quiet=True), rows=12)) == 3
    assert (tmp_path / "restored.jsonl").read_text() == cells
    rows = list(csv.DictReader((tmp_path / "restored.csv").read_text().splitlines()))
    assert [row["block"] for row in rows] == ["1", "2", "top", "all"]
    zeros = [int(row["zeros"]) for row in rows]
    assert sum(zeros[:3]) == zeros[3] == sum(mask.zeros for mask in runs[0].masks.values())
    assert all(float(row["logit_change"]) > 0 for row in rows)
    split = runs[0].split("dev", 12)
    assert float(rows[0]["score"]) == runs[0].predictor.score(split)
    assert {row["rows"] for row in rows} == {"12"}


def test_runs_without_masks_or_split_are_refused(finished, tmp_path):
    with pytest.raises(InputError, match="expected a run with masks"):
        study_restored(load_runs([finished("finetune")]), tmp_path, Console(quiet=True))
    with pytest.raises(InputError, match="no split 'test'; there are train, dev"):
        study_restored(load_runs([finished()]), tmp_path, Console(quiet=True), split="test")
