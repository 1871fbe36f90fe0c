"""Jobs of a study: computed once, in order, and kept when the study stops."""

import pytest

from maskjax.analysis.resumable import run_jobs
from maskjax.errors import InputError


def test_stopped_study_resumes_after_its_last_job(tmp_path):
    computed = []

    def compute(key):
        if len(computed) == 2:
            raise KeyboardInterrupt
        computed.append(key["x"])
        return {"square": key["x"] ** 2}

    keys, path = [{"x": x} for x in (3, 1, 2)], tmp_path / "study" / "jobs.jsonl"
    with pytest.raises(KeyboardInterrupt):
        run_jobs(keys, compute, path)
    more = []
    rows = run_jobs(keys, lambda key: more.append(key["x"]) or {"square": key["x"] ** 2}, path)
    assert (computed, more) == ([3, 1], [2])
    assert rows == [{"x": 3, "square": 9}, {"x": 1, "square": 1}, {"x": 2, "square": 4}]


@pytest.mark.parametrize("line", ["{", "[" * 10_000, "[]", '{"key": {}}'], ids=range(4))
def test_damaged_line_is_refused_by_number(tmp_path, line):
    path = tmp_path / "jobs.jsonl"
    path.write_text('{"key": {"x": 1}, "result": {}}\n' + line + "\n")
    with pytest.raises(InputError, match=r"line 2: .*delete the line, and it is computed again"):
        run_jobs([], dict, path)
