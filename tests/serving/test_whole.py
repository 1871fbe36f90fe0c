"""The command itself on a small base and a run of every kind, against each run loaded alone."""

import os
import re
import signal
import subprocess
import sys
from itertools import islice

import httpx2
import numpy as np
import pytest

from maskjax.cli.main import main
from maskjax.config import AdaptationConfig
from maskjax.inference import load_run, predict_rows
from maskjax.tasks import Split

ROWS = {
    "classification": [("a b c",), ("t s r q",)],
    "regression": [("a b", "c d e")],
    "choice": [("a b", "c d", "e f g")],
    "tokens": [("a", "b", "c", "d")],
}
WITH_WINDOWS = ("classification", "tokens")


def test_a_token_file_that_is_not_utf8_is_one_line(tmp_path, capsys):
    (tmp_path / "token").write_bytes(b"\xff\xfe")
    words = ["--base", "minilm", "--tasks", str(tmp_path), "--token-file", str(tmp_path / "token")]
    assert main(["serve", *words]) == 2
    assert capsys.readouterr().err == f"error: --token-file: {tmp_path / 'token'} is not UTF-8.\n"


@pytest.fixture(scope="module")
def runs(base_of, task_of, write_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    for kind in ROWS:
        masked = AdaptationConfig(initializer="uniform", sparsity=0.3, blocks=(1, 2))
        write_run(base_of("bert"), task_of(kind), masked, folder / kind)
    for kind in WITH_WINDOWS:
        place = folder / f"long-{kind}"
        write_run(base_of("bert"), task_of(kind), masked, place, stride=6)
    return folder


@pytest.fixture(scope="module")
def address(base_of, runs):
    """The address of `maskjax serve`, which SIGTERM ends."""
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
        if sum("added task" in logged for logged in lines) == len(ROWS) + len(WITH_WINDOWS):
            break
    (address,) = re.findall(r"http://127\.0\.0\.1:\d+", "".join(lines))
    yield address
    server.send_signal(signal.SIGTERM)
    _, log = server.communicate(timeout=30)
    assert server.returncode == -signal.SIGTERM
    assert "Traceback" not in log


@pytest.mark.parametrize("kind", ROWS)
def test_answers_match_each_run_loaded_alone(address, runs, kind):
    alone = load_run(runs / kind)
    units = [len(row) if kind == "tokens" else 1 for row in ROWS[kind]]
    split = Split(ROWS[kind], np.zeros(sum(units), np.int32), kind)
    predictions = iter(predict_rows(alone.task, alone.logits(alone.encode(split))))
    inputs = [row[0] if len(row) == 1 else list(row) for row in ROWS[kind]]
    response = httpx2.post(f"{address}/models/{kind}", json={"inputs": inputs}, timeout=60)
    assert response.status_code == 200, response.text
    for row, answer, count in zip(ROWS[kind], response.json(), units, strict=True):
        expected = list(islice(predictions, count))
        scores = [unit["score"] for unit in expected]
        assert [label["score"] for label in answer[:count]] == pytest.approx(scores, rel=1e-4)
        if kind == "tokens":
            assert [word["word"] for word in answer] == list(row)
            assert [word["entity"] for word in answer] == [unit["label"] for unit in expected]
            continue
        if kind != "regression":
            assert answer[0]["label"] == expected[0]["label"]
            assert sum(label["score"] for label in answer) == pytest.approx(1)
        assert len(answer) == alone.task.num_outputs


@pytest.mark.parametrize("kind", WITH_WINDOWS)
def test_long_documents_are_read_whole_or_said_to_be_cut(address, runs, kind):
    words = list("abcdefghijklmnopqrst" * 4)
    inputs = [" ".join(words), "a b"]
    alone = load_run(runs / f"long-{kind}")
    row = tuple(words) if kind == "tokens" else (inputs[0],)
    units = len(row) if kind == "tokens" else 1
    split = Split([row], np.zeros(units, np.int32), kind)
    expected = predict_rows(alone.task, alone.logits(alone.encode(split)))
    url, body = f"{address}/models/long-{kind}", {"inputs": inputs}
    response = httpx2.post(url, json=body, timeout=60)
    long, _ = response.json()
    assert "x-truncated-inputs" not in response.headers
    assert len(long) == (80 if kind == "tokens" else 3)
    for ours, theirs in zip(long, expected, strict=False):
        assert ours.get("label", ours.get("entity")) == theirs["label"]
        assert ours["score"] == pytest.approx(theirs["score"], rel=1e-4)
    response = httpx2.post(f"{address}/models/{kind}", json=body, timeout=60)
    assert response.headers["x-truncated-inputs"] == "0"
    long, short = response.json()
    assert all(part["truncated"] for part in long)
    assert not any("truncated" in part for part in short)


def test_vectors_of_base_and_task_are_normalized_and_differ(address):
    replies = []
    for path in ("", "/models/tokens"):
        url = f"{address}{path}/pipeline/feature-extraction"
        response = httpx2.post(url, json={"inputs": ["a b", "c"]}, timeout=60)
        assert response.status_code == 200, response.text
        replies.append(response.json())
        assert np.linalg.norm(replies[-1], axis=1) == pytest.approx([1, 1])
    assert np.shape(replies) == (2, 2, 16)
    assert not np.allclose(*replies, atol=1e-3)


def test_the_command_checks_names_and_pages(address):
    for header, value, status in (("Host", "evil.example", 421), ("Origin", "http://e.org", 403)):
        response = httpx2.get(f"{address}/tasks", headers={header: value})
        assert response.status_code == status


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--tasks", "nowhere"], "--tasks: expected a folder"),
        (["--tasks", ".", "--wait-ms", "-1"], "--wait-ms: expected at least 0"),
        (["--tasks", ".", "--host", "203.0.113.7"], "--port: 203.0.113.7"),
    ],
)
def test_wrong_options_are_refused(options, message, capsys):
    assert main(["serve", "--base", "none", "--offline", *options]) == 2
    assert message in capsys.readouterr().err


def test_empty_token_file_is_refused(tmp_path, capsys):
    (tmp_path / "token").write_text("\n")
    options = ["--tasks", str(tmp_path), "--token-file", str(tmp_path / "token")]
    assert main(["serve", "--base", "none", *options]) == 2
    assert "is empty" in capsys.readouterr().err
