"""From logits to answers in the shape of the pipelines of transformers, ready for JSON."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from scipy.special import expit, softmax

from maskjax.inference.preprocess import TokenizedRow
from maskjax.tasks import Task

Answer = list[dict[str, Any]] | list[float]
"""For classification and choice, `[{"label": str, "score": float}, ...]`, the likeliest first. For
regression, `[{"label": "LABEL_0", "score": the number}]`. For tokens, `{"entity": str,
"score": float, "word": str, "index": int}` for each word that has a token, O included, the first
word being number 0. Without a task, the vector of the first token under the plain base."""
Function = Literal["softmax", "sigmoid", "none"]
"""What makes scores of logits: probabilities that sum to one, probabilities of each label by
itself, or nothing."""


def make_answer(
    task: Task | None,
    row: TokenizedRow,
    outputs: Sequence[np.ndarray],
    top_k: int | None,
    function: Function = "softmax",
) -> Answer:
    """Makes the answer to one row.

    Example:
        >>> task = Task(name="t", labels=("no", "yes"))
        >>> make_answer(task, TokenizedRow(()), [np.array([0.0, 0.0, 9.0])], 1)
        [{'label': 'no', 'score': 0.5}]
    """
    if task is None:
        return outputs[0][0].tolist()
    match task.kind:
        case "regression":
            value = expit(outputs[0][0]) if function == "sigmoid" else outputs[0][0]
            return [{"label": "LABEL_0", "score": float(value)}]
        case "tokens":
            return _words(task, row, outputs[0])
        case "choice":
            return _ranked(task, np.concatenate(outputs), top_k, function)
        case _:
            return _ranked(task, outputs[0][: len(task.labels)], top_k, function)


def _ranked(task: Task, logits: np.ndarray, top_k: int | None, function: Function) -> Answer:
    logits = logits.astype(np.float64)
    scores = {"softmax": softmax, "sigmoid": expit, "none": np.asarray}[function](logits)
    order = np.argsort(-scores, kind="stable")[:top_k]
    return [{"label": task.labels[label], "score": float(scores[label])} for label in order]


def _words(task: Task, row: TokenizedRow, logits: np.ndarray) -> Answer:
    if row.places is None:
        raise ValueError(f"Task {task.name} labels words; expected a row that was read as words.")
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
