"""The command itself on a small base and a run of every kind, against each run loaded alone."""

import os
import re
import signal
import subprocess
import sys

import httpx2
import pytest

from maskjax.cli.main import main
from maskjax.config import AdaptationConfig
from maskjax.inference import load_predictor

ROWS = {
    "classification": [("a b c",), ("t s r q",)],
    "regression": [("a b", "c d e")],
    "choice": [("a b", "c d", "e f g")],
    "tokens": [("a", "b", "c", "d")],
}


@pytest.fixture(scope="module")
def runs(base_of, task_of, write_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    for kind in ROWS:
        masked = AdaptationConfig(start="uniform", sparsity=0.3, blocks=(1, 2))
        write_run(base_of("bert"), task_of(kind), masked, folder / kind)
    return folder


@pytest.fixture(scope="module")
def address(base_of, runs):
    """Of `maskjax serve`, which is ended by SIGTERM."""
    words = ["serve", "--base", str(base_of("bert")), "--tasks", str(runs), "--port", "0"]
    program = f"from maskjax.cli.main import main; main({[*words, '--offline', '--no-warm-up']!r})"
    server = subprocess.Popen(
        [sys.executable, "-c", program],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "MASKJAX_COMPILE_CACHE": os.path.abspath(".pytest_cache/jax")},
    )
    lines = []
    for line in server.stderr:
        lines.append(line)
        if sum("added task" in one for one in lines) == len(ROWS):
            break
    (found,) = re.findall(r"http://127\.0\.0\.1:\d+", "".join(lines))
    yield found
    server.send_signal(signal.SIGTERM)
    _, log = server.communicate(timeout=30)
    assert server.returncode == -signal.SIGTERM
    assert "Traceback" not in log


@pytest.mark.parametrize("kind", ROWS)
def test_answers_are_those_of_the_run_alone(address, runs, kind):
    alone = load_predictor(runs / kind)
    inputs = [row[0] if len(row) == 1 else list(row) for row in ROWS[kind]]
    response = httpx2.post(f"{address}/models/{kind}", json={"inputs": inputs}, timeout=60)
    assert response.status_code == 200, response.text
    for row, answer in zip(ROWS[kind], response.json(), strict=True):
        if kind == "tokens":
            found = [(one["word"], one["entity"], one["score"]) for one in answer]
            expected = [(word, *tag) for word, tag in zip(row, alone.tag([row])[0], strict=True)]
            assert [one[:2] for one in found] == [one[:2] for one in expected]
            assert [one[2] for one in found] == pytest.approx([one[2] for one in expected], 1e-4)
            continue
        (expected,) = alone([row])
        assert answer[0]["score"] == pytest.approx(expected.score, rel=1e-4)
        if kind != "regression":
            assert answer[0]["label"] == expected.label
            assert sum(one["score"] for one in answer) == pytest.approx(1)
        assert len(answer) == alone.task.num_outputs


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--tasks", "nowhere"], "--tasks: expected a folder"),
        (["--tasks", ".", "--wait-ms", "-1"], "--wait-ms: expected at least 0"),
        (["--tasks", ".", "--host", "203.0.113.7"], "--port: 203.0.113.7"),
    ],
)
def test_what_cannot_be_served(options, message, capsys):
    assert main(["serve", "--base", "none", "--offline", *options]) == 2
    assert message in capsys.readouterr().err


def test_an_empty_token_is_none(tmp_path, capsys):
    (tmp_path / "token").write_text("\n")
    options = ["--tasks", str(tmp_path), "--token-file", str(tmp_path / "token")]
    assert main(["serve", "--base", "none", *options]) == 2
    assert "is empty" in capsys.readouterr().err
