"""Runs on the rows of other tasks, against scikit-learn."""

import csv

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.metrics import accuracy_score

from maskjax.analysis.runs import load_runs
from maskjax.analysis.transfer import majority_share, transfer
from maskjax.errors import InputError


def test_transfer_gain_is_accuracy_above_the_majority_vote(finished, with_meta, tmp_path):
    """The second run is the first with its labels swapped, on the same rows."""
    folders = (finished(), with_meta("task", name="other", labels=["yes", "no"]))
    runs = load_runs(folders)
    transfer(folders, out=tmp_path, rows=25)
    rows = list(csv.DictReader((tmp_path / "transfer.csv").read_text().splitlines()))
    assert [(row["trained_on"], row["on"]) for row in rows] == [
        ("toy", "toy"),
        ("toy", "other"),
        ("other", "toy"),
        ("other", "other"),
    ]
    split = runs[0].split("dev", 25)
    saved = runs[0].saved
    names = np.array(saved.task.labels)[saved.logits(saved.encode(split)).argmax(axis=1)]
    truth = np.array(runs[0].task.labels)[split.labels]
    constant = DummyClassifier().fit(names[:, None], truth).score(names[:, None], truth)
    accuracy = accuracy_score(truth, names)
    expected = [accuracy, accuracy, 1 - accuracy, 1 - accuracy]
    assert accuracy != 0.5
    for row, value in zip(rows, expected, strict=True):
        assert float(row["accuracy"]) == pytest.approx(value)
        assert float(row["majority"]) == constant == majority_share(split.labels)
        assert float(row["gain"]) == pytest.approx(value - constant)


def test_transfer_refuses_other_kinds_and_numbers_of_texts(finished, with_meta, tmp_path):
    with pytest.raises(InputError, match="expected a run of classification, got one of tokens"):
        transfer((with_meta("task", kind="tokens"),), out=tmp_path)
    with pytest.raises(InputError, match="as many texts as toy-mask-0, 1 a row, got 2"):
        transfer((finished(), with_meta("task", text=["a", "b"])), out=tmp_path)
