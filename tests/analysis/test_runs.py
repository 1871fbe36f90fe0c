"""Runs that cannot be compared are refused, with what differs."""

import shutil

import pytest

from maskjax.analysis.runs import load_runs, study_runs
from maskjax.errors import InputError


def test_runs_differ_by_name_and_digest(finished, tmp_path):
    shutil.copytree(finished(seed=1), tmp_path / "toy-mask-1")
    runs = load_runs([finished(seed=0), finished(seed=1), tmp_path / "toy-mask-1"])
    assert runs[0].name.endswith("/toy-mask-0")
    assert len({run.name for run in runs}) == 3
    assert runs[1].digest == runs[2].digest != runs[0].digest
    assert (runs[0].method, runs[1].seed) == ("mask", 1)


def test_missing_or_different_runs_are_refused_by_name(finished, with_meta, tmp_path):
    first = finished()
    with pytest.raises(InputError, match="nowhere: no such run folder"):
        load_runs([first, tmp_path / "nowhere"])
    with pytest.raises(InputError, match="no finished run"):
        load_runs([tmp_path])
    unfinished = shutil.copytree(first, tmp_path / "unfinished")
    (unfinished / "result.json").unlink()
    with pytest.raises(InputError, match=r"not finished, it has no result.json"):
        load_runs([unfinished])
    with pytest.raises(InputError, match=r"the same base as toy-mask-0, .* digest .* got other"):
        study_runs([first, with_meta("base", name="other")])
    swapped = with_meta("task", labels=["yes", "no"])
    study_runs([first, swapped], "label set")
    with pytest.raises(InputError, match=r"the same task as .* has toy, .*, got another"):
        study_runs([first, with_meta("task", name="another")], "task")
    more = with_meta("task", labels=["no", "perhaps", "yes"])
    with pytest.raises(InputError, match=r"same label set as .* no, yes, got .* no, perhaps, yes"):
        study_runs([first, more], "label set")
