"""Commands whose output pipe is closed, as by `| head`, end without a message."""

import os
import subprocess
import sys

import pytest

from maskjax.cli.closed_pipe import CLOSED_PIPE

PROGRAM = "import sys; from maskjax.cli.main import main; sys.exit(main({words!r}))"


def run_into_closed_pipe(words):
    """Runs a command whose standard output is not read; returns exit code and standard error."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    command = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(words=words)],
        stdout=write_end,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env={**os.environ, "MASKJAX_COMPILE_CACHE": "off"},
    )
    os.close(write_end)
    return command.returncode, command.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],  # print, flushed when the process ends
        ["tasks"],  # a table of rich
        ["train", "--help"],  # tyro, which ends by SystemExit
    ],
    ids=" ".join,
)
def test_a_closed_pipe_is_silent(words):
    assert run_into_closed_pipe(words) == (CLOSED_PIPE, "")


def test_predictions_into_a_closed_pipe_end_silently(base_of, task_of, write_run, tmp_path):
    from maskjax.config import AdaptationConfig

    run = write_run(
        base_of("bert"),
        task_of("tokens"),
        AdaptationConfig(initializer="uniform"),
        tmp_path / "run",
    )
    words = ["predict", str(run), "--offline", "--text", *["a b c d e f g h"] * 50]
    assert run_into_closed_pipe(words) == (CLOSED_PIPE, "")


def test_error_is_still_printed():
    code, error = run_into_closed_pipe(["evaluate", "nowhere.safetensors"])
    assert code == 2
    assert error == "error: nowhere.safetensors: no such run folder or task file.\n"
