"""From logits to answers in the shape of the pipelines of transformers, ready for JSON."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import softmax

from maskjax.inference.reading import Read
from maskjax.tasks import Task

Answer = list[dict[str, Any]] | list[float]
"""For classification and choice, `[{"label": str, "score": float}, ...]`, the likeliest first. For
regression, `[{"label": "LABEL_0", "score": the number}]`. For tokens, `{"entity": str,
"score": float, "word": str, "index": int}` for each word that has a token, O included, the first
word being number 0. Without a task, the vector of the first token under the plain base."""


def make_answer(
    task: Task | None, row: Read, outputs: Sequence[np.ndarray], top_k: int | None
) -> Answer:
    """Makes the answer to one row.

    Args:
        task: The task; None for the base.
        row: What was asked.
        outputs: What a program gave for each sequence of the row: logits `[width]`, for tokens
            `[seq, width]`, for choice `[1]`; without a task a vector.
        top_k: How many classes or choices to name; None for all.

    Returns:
        The answer.

    Example:
        >>> task = Task(name="t", labels=("no", "yes"))
        >>> make_answer(task, Read(()), [np.array([0.0, 0.0, 9.0])], 1)
        [{'label': 'no', 'score': 0.5}]
    """
    if task is None:
        return outputs[0].tolist()
    match task.kind:
        case "regression":
            return [{"label": "LABEL_0", "score": float(outputs[0][0])}]
        case "tokens":
            return _words(task, row, outputs[0])
        case "choice":
            return _ranked(task, np.concatenate(outputs), top_k)
        case _:
            return _ranked(task, outputs[0][: len(task.labels)], top_k)


def _ranked(task: Task, logits: np.ndarray, top_k: int | None) -> Answer:
    scores = softmax(logits.astype(np.float64))
    order = np.argsort(-scores, kind="stable")[:top_k]
    return [{"label": task.labels[label], "score": float(scores[label])} for label in order]


def _words(task: Task, row: Read, logits: np.ndarray) -> Answer:
    assert row.places is not None
    seen = np.flatnonzero(row.places >= 0)
    scores = softmax(logits[row.places[seen], : len(task.labels)].astype(np.float64), axis=1)
    return [
        {
            "entity": task.labels[best],
            "score": float(each[best]),
            "word": row.words[word],
            "index": int(word),
        }
        for word, each, best in zip(seen, scores, scores.argmax(axis=1), strict=True)
    ]
