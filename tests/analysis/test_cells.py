"""Cells of a study: computed once, in order, and kept whatever stops the study."""

import pytest

from maskjax.analysis.cells import run_cells
from maskjax.errors import InputError


def test_a_stopped_study_goes_on(tmp_path):
    computed = []

    def compute(key):
        if len(computed) == 2:
            raise KeyboardInterrupt
        computed.append(key["x"])
        return {"square": key["x"] ** 2}

    keys, path = [{"x": x} for x in (3, 1, 2)], tmp_path / "study" / "cells.jsonl"
    with pytest.raises(KeyboardInterrupt):
        run_cells(keys, compute, path)
    more = []
    rows = run_cells(keys, lambda key: more.append(key["x"]) or {"square": key["x"] ** 2}, path)
    assert (computed, more) == ([3, 1], [2])
    assert rows == [{"x": 3, "square": 9}, {"x": 1, "square": 1}, {"x": 2, "square": 4}]


@pytest.mark.parametrize("line", ["{", "[]", '{"key": {}}'])
def test_a_damaged_line_is_named(tmp_path, line):
    path = tmp_path / "cells.jsonl"
    path.write_text('{"key": {"x": 1}, "result": {}}\n' + line + "\n")
    with pytest.raises(InputError, match="line 2: expected a finished cell"):
        run_cells([], dict, path)
