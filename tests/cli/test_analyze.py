"""`maskjax analyze`: the list of the studies, and the errors that all of them share."""

import pytest

from maskjax.cli.main import STUDIES, main

SWEEPS = ("sparsity", "layers")
"""They train their own runs."""


def test_every_study_is_listed(capsys):
    assert main(["analyze"]) == 2
    listed = capsys.readouterr().out
    assert main(["analyze", "--help"]) == 0
    assert capsys.readouterr().out == listed
    for name in STUDIES:
        assert f"\n  {name} " in listed


def test_an_unknown_study_is_refused(capsys):
    assert main(["analyze", "dropt"]) == 2
    assert capsys.readouterr().err == "error: no study 'dropt'; did you mean dropped?\n"


@pytest.mark.parametrize("study", [name for name in STUDIES if name not in SWEEPS])
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
