"""Paths between finished runs: ends score as the runs do, and results are computed once."""

import csv
import json

import numpy as np
import pytest

from maskjax.analysis.runs import load_runs
from maskjax.cli.main import main

pytestmark = pytest.mark.usefixtures("standard_promotion")


@pytest.fixture
def walked(finished, tmp_path):
    folders = [finished("finetune"), finished("mask"), finished("mask", seed=1)]
    words = [*map(str, folders), "--out", str(tmp_path / "out")]
    return folders, [*words, "--points", "3", "--rows", "20"]


def read(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def test_path_ends_score_as_the_runs_do(walked, tmp_path):
    folders, words = walked
    assert main(["analyze", "connect", *words]) == 0
    rows = read(tmp_path / "out" / "connect-line.csv")
    assert [row["group"] for row in rows[::6]] == ["mask–finetune", "mask–finetune", "mask–mask"]
    runs = {run.name: run for run in load_runs(folders)}
    for row in rows:
        if row["gamma"] in ("0.0", "1.0"):
            run = runs[row["first" if row["gamma"] == "0.0" else "last"]]
            split = run.split(row["split"], 20)
            assert float(row["score"]) == pytest.approx(run.saved.score(split), abs=1e-6)
    for row in read(tmp_path / "out" / "connect-barriers.csv"):
        path = [r for r in rows if all(r[n] == row[n] for n in ("first", "last", "split"))]
        first, middle, last = (float(point["loss"]) for point in path)
        expected = max(middle - (first + last) / 2, 0)
        assert float(row["barrier"]) == pytest.approx(expected, abs=1e-6)


def test_added_curve_keeps_the_results_of_the_first(finished, tmp_path):
    """The bend of the added curve does not move its ends."""
    folders = [str(finished("finetune")), str(finished("mask"))]
    words = [*folders, "--out", str(tmp_path), "--points", "3", "--rows", "20", "--steps", "2"]
    assert main(["analyze", "connect", *words, "--curves", "line"]) == 0
    before = (tmp_path / "connect.jsonl").read_text()
    assert main(["analyze", "connect", *words, "--curves", "line", "bezier"]) == 0
    after = (tmp_path / "connect.jsonl").read_text()
    assert after.startswith(before)
    line, bezier = map(json.loads, after.splitlines())
    assert (line["key"]["curve"], bezier["key"]["curve"]) == ("line", "bezier")
    losses = [cell["result"]["dev"]["loss"] for cell in (line, bezier)]
    np.testing.assert_allclose(losses[0][::2], losses[1][::2], rtol=1e-5)


def test_split_is_by_default_one_that_the_runs_have(finished, tmp_path):
    kinds = [("mask", 0), ("mask", 1), ("finetune", 0)]
    folders = [finished(*kind, holdout=0.25) for kind in kinds]
    words = [*map(str, folders), "--out", str(tmp_path), "--points", "3", "--rows", "5"]
    assert main(["analyze", "connect", *words]) == 0
    rows = read(tmp_path / "connect-line.csv")
    assert {row["split"] for row in rows} == {"train", "holdout"}
    assert main(["analyze", "plane", *words]) == 0
    assert '"split": "holdout"' in (tmp_path / "plane.jsonl").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--points", "2"], "--points: expected at least 3"),
        (["--split", "test"], "no split 'test'"),
        (["--split", "train"], "--split: expected"),
        (["--rows", "0"], "--rows"),
    ],
)
def test_wrong_options_are_refused(walked, capsys, words, said):
    assert main(["analyze", "connect", *walked[1], *words]) == 2
    assert said in capsys.readouterr().err


def test_runs_of_two_tasks_are_refused(finished, tmp_path, capsys):
    folders = [str(finished()), str(finished(name="other"))]
    assert main(["analyze", "connect", *folders, "--out", str(tmp_path / "out")]) == 2
    assert "expected a run with the same task" in capsys.readouterr().err
    assert main(["analyze", "connect", folders[0], "--out", str(tmp_path / "out")]) == 2
    assert "at least 2" in capsys.readouterr().err
