"""`maskjax analyze`: the list of the studies, and the errors that all of them share."""

import pytest

from maskjax.cli.analyze import USAGE, _studies
from maskjax.cli.main import main

SWEEPS = ("sparsity", "layers")
"""They train their own runs."""


def test_every_study_is_listed(capsys):
    assert main(["analyze"]) == 2
    assert capsys.readouterr().out == USAGE
    assert main(["analyze", "--help"]) == 0
    for name in _studies():
        assert f"\n  {name} " in USAGE


def test_an_unknown_study_is_refused(capsys):
    assert main(["analyze", "dreams"]) == 2
    assert "no study 'dreams'; there are: dissimilarity, " in capsys.readouterr().err


@pytest.mark.parametrize("study", [name for name in _studies() if name not in SWEEPS])
def test_missing_or_unfinished_runs_are_refused(study, tmp_path, capsys):
    out = str(tmp_path / "out")
    assert main(["analyze", study, "--out", out]) == 2
    assert "expected at least" in capsys.readouterr().err
    missing = [str(tmp_path / name) for name in "ab"]
    assert main(["analyze", study, *missing, "--out", out]) == 2
    assert "no such run folder" in capsys.readouterr().err
    for name in "ab":
        (tmp_path / name).mkdir()
    assert main(["analyze", study, *missing, "--out", out]) == 2
    assert capsys.readouterr().err.splitlines() == [
        *(f"skipped {path}: holds no finished run" for path in missing),
        "error: expected at least one finished run, got none that can be used.",
    ]
