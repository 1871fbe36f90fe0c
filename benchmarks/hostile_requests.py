"""Requests to a server of tasks: such as are answered, and such as are refused."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from benchmarks.serving import WORDS, text_length

REFUSED = 0.3
"""The share of requests that are refused."""
TOLERANCE = 1e-3
"""The tolerance of a score: rows are computed in batches of other shapes."""


class Request(NamedTuple):
    """A request.

    Attributes:
        path: Where it goes, by POST.
        body: What is sent.
        status: What it is answered with.
        headers: Further headers, by name.
    """

    path: str
    body: bytes
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()


def make_requests(
    random: np.random.Generator, tasks: Sequence[str], count: int, different: int = 200
) -> list[Request]:
    """Draws requests.

    Args:
        random: Draws them.
        tasks: Names of tasks of classification.
        count: How many.
        different: How many different requests that are answered there are among them.

    Returns:
        The requests, in random order.
    """
    good = [_answered(random, tasks) for _ in range(different)]
    bad = _refused(tasks[0])
    return [
        bad[random.integers(len(bad))]
        if random.random() < REFUSED
        else good[random.integers(different)]
        for _ in range(count)
    ]


def _answered(random: np.random.Generator, tasks: Sequence[str]) -> Request:
    task = str(random.choice(tasks))
    texts = [
        " ".join(random.choice(WORDS, text_length(random))) for _ in range(random.integers(1, 9))
    ]
    vectors = "/pipeline/feature-extraction"
    values: list[tuple[str, Any]] = [
        (f"/models/{task}", {"inputs": texts[0]}),
        (f"/models/{task}", {"inputs": texts}),
        ("/", {"task": task, "inputs": texts[0], "parameters": {"top_k": 1}}),
        (f"/models/{task}", {"inputs": texts[0], "parameters": {"function_to_apply": "none"}}),
        (f"/models/{task}{vectors}", {"inputs": texts[:2]}),
        (vectors, {"inputs": texts[:2], "normalize": False}),
        (f"/models/{task}", {"inputs": "!" * 1_000_000}),
        (f"/models/{task}", {"inputs": " " * 500_000 + texts[0]}),
    ]
    path, body = values[random.integers(len(values))]
    return Request(path, json.dumps(body).encode())


def _refused(task: str) -> list[Request]:
    path, plain = f"/models/{task}", b'{"inputs": "a"}'
    return [
        Request(path, b'{"inputs": ', 400),
        Request(path, b"[" * 100_000, 400),
        Request(path, b"\xff" * 1000, 400),
        Request(path, b'{"inputs": ' + b"[" * 900 + b"]" * 900 + b"}", 422),
        Request(path, b'{"inputs": "\\ud800"}', 422),
        Request(path, b'{"inputs": []}', 422),
        Request(path, b'{"inputs": "a", "parameters": {"top_k": -1}}', 422),
        Request(path, json.dumps({"inputs": ["a"] * 129}).encode(), 413),
        Request(path, json.dumps({"inputs": ["! " * 32000] * 16}).encode(), 200),
        Request(path, b" " * 2_000_000, 413),
        Request(f"{path}x", plain, 404),
        Request("/nowhere", plain, 404),
        Request("/tasks", plain, 405),
        Request(path, plain, 421, (("Host", "evil.example"),)),
        Request(
            path, plain, 403, (("Origin", "http://evil.example"), ("Content-Type", "text/plain"))
        ),
    ]


def agree(one: Any, other: Any) -> bool:
    """Whether two answers are the same, but for rounding.

    Args:
        one: JSON values.
        other: JSON values.

    Returns:
        Whether they agree.
    """
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= TOLERANCE * max(1, abs(one))
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(agree, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(agree(one[key], other[key]) for key in one)
    return one == other
