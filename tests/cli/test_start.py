"""Help and errors of the command line come without the modules that take seconds to import."""

import subprocess
import sys

import pytest

from maskjax.cli.main import COMMANDS, STUDIES, main
from maskjax.doctor import Finding

HEAVY = {
    *("jax", "jaxlib", "flax", "optax", "orbax", "pandas", "pyarrow", "transformers", "datasets"),
    *("scipy", "sklearn", "matplotlib", "torch", "huggingface_hub", "starlette"),
}
# All commands in one process, since each start takes a while: no import is ever taken back.
PROGRAM = """
import contextlib, io, sys
from maskjax.cli.main import COMMANDS, STUDIES, main

lists = [[], ["analyze"]]
commands = [[name] for name in COMMANDS if name != "analyze"]
commands += [["analyze", name] for name in STUDIES]
for words in [*lists, *commands]:
    for last, expected in (("--help", 0), ("--no-such-option", 2)):
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            try:
                code = main([*words, last])
            except SystemExit as stop:
                code = stop.code
        assert code == expected, (words, last, code)
        if last == "--help":
            assert len(out.getvalue().splitlines()) > 5, words
    print(*words, *sorted({name.partition(".")[0] for name in sys.modules}), sep=",")
"""


def test_help_and_wrong_options_import_nothing_heavy():
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    assert len(lines) == len(COMMANDS) + len(STUDIES) + 1
    for line in lines:
        assert not HEAVY & set(line.split(",")), line.split(",")[:2]


def test_module_is_the_command():
    words = [sys.executable, "-m", "maskjax", "train", "--help"]
    run = subprocess.run(words, capture_output=True, text=True, check=True)
    assert "usage: maskjax train [--config NAME|FILE]" in run.stdout
    assert subprocess.run(words[:3], capture_output=True, check=False).returncode == 2


def test_versions_that_clash_are_named_with_a_remedy(monkeypatch, capsys):
    """None in `sys.modules` makes an import fail, as versions that do not fit together do."""
    monkeypatch.setitem(sys.modules, "maskjax.models", None)
    monkeypatch.delattr("maskjax.models", raising=False)
    found = [Finding("flax 1 cannot be imported on jax 2", "flax>=3")]
    monkeypatch.setattr("maskjax.doctor.diagnose", lambda packages: found)
    assert main(["info", "run"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: flax 1 cannot be imported on jax 2; pip install")
    assert error.endswith('"flax>=3", then restart Python.\n')
    found.clear()
    with pytest.raises(ImportError, match=r"maskjax\.models"):
        main(["info", "run"])
