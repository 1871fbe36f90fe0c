"""Restored zeros: the params of a smaller mask, and a change that is none without zeros."""

import csv

import numpy as np
import pytest
from rich.console import Console

from maskjax.adaptation import merge
from maskjax.analysis.restored import restored_params, study_restored
from maskjax.analysis.runs import load_runs
from maskjax.errors import InputError
from maskjax.masking import leaves_by_path


def test_params_are_those_of_a_mask_without_the_block(finished):
    (run,) = load_runs([finished()])
    frozen = run.file.frozen
    for block, prefix in {"1": "encoder/layer/1/", "top": "pooler", "all": ""}.items():
        left = {path: mask for path, mask in frozen["mask"].items() if not path.startswith(prefix)}
        expected = merge(
            {**frozen, "mask": left}, {**run.predictor.params, **run.predictor.base.params}
        )
        found = leaves_by_path(restored_params(run, block))
        for path, leaf in leaves_by_path(expected).items():
            np.testing.assert_array_equal(found[path], leaf, err_msg=path)


def test_the_study_goes_on_and_tells_each_change(finished, tmp_path):
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


def test_what_cannot_be_restored_is_refused(finished, tmp_path):
    with pytest.raises(InputError, match="expected a run with masks"):
        study_restored(load_runs([finished("finetune")]), tmp_path, Console(quiet=True))
    with pytest.raises(InputError, match="no split 'test'; there are train, dev"):
        study_restored(load_runs([finished()]), tmp_path, Console(quiet=True), split="test")
