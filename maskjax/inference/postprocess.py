"""From outputs to answers in the shape of the pipelines of transformers, ready for JSON."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypedDict

import numpy as np
from scipy.special import expit, softmax

from maskjax.errors import InputError
from maskjax.inference.preprocess import Function, TokenizedRow
from maskjax.tasks import Task


class Prediction(TypedDict):
    """A label of a row, or the number of a row of regression.

    Attributes:
        label: The class or choice; for regression `LABEL_0`, or the number as text.
        score: Its probability, or what else the score function makes of its logit; the number.
    """

    label: str
    score: float


class WordPrediction(TypedDict):
    """The label of a word.

    Attributes:
        entity: The label, O included.
        score: Its probability.
        word: The word.
        index: The number of the word in its row, from 0.
    """

    entity: str
    score: float
    word: str
    index: int


Answer = list[Prediction] | list[WordPrediction] | list[float]
"""The answer to one row. For classification and choice, the labels with the likeliest first; for
regression, the number; for tokens, each word that has a token. Without a task, the vector of the
first token under the plain base; for vectors, the pooled vector."""

Pooling = Literal["first", "mean"]
POOLING_FILE = "1_Pooling/config.json"
POOLING_MODES: dict[str, Pooling] = {
    "pooling_mode_cls_token": "first",
    "pooling_mode_mean_tokens": "mean",
}


def make_answer(
    task: Task | None,
    row: TokenizedRow,
    outputs: Sequence[np.ndarray],
    top_k: int | None,
    function: Function = "softmax",
) -> Answer:
    """Makes the answer to one row from the outputs of its sequences.

    Example:
        >>> task = Task(name="t", labels=("no", "yes"))
        >>> make_answer(task, TokenizedRow(()), [np.array([0.0, 0.0, 9.0])], 1)
        [{'label': 'no', 'score': 0.5}]
    """
    if task is None:
        return pool(outputs[0], "first")
    match task.kind:
        case "regression":
            value = expit(outputs[0][0]) if function == "sigmoid" else outputs[0][0]
            return [Prediction(label="LABEL_0", score=float(value))]
        case "tokens":
            return _label_words(task, row, outputs[0])
        case "choice":
            return _ranked(task, np.concatenate(outputs), top_k, function)
        case _:
            return _ranked(task, outputs[0][: len(task.labels)], top_k, function)


def _ranked(
    task: Task, logits: np.ndarray, top_k: int | None, function: Function
) -> list[Prediction]:
    logits = logits.astype(np.float64)
    scores = {"softmax": softmax, "sigmoid": expit, "none": np.asarray}[function](logits)
    order = np.argsort(-scores, kind="stable")[:top_k]
    return [Prediction(label=task.labels[n], score=float(scores[n])) for n in order]


def _label_words(task: Task, row: TokenizedRow, logits: np.ndarray) -> list[WordPrediction]:
    if row.places is None:
        raise ValueError(f"Task {task.name} labels words; expected a row that was read as words.")
    words = np.flatnonzero(row.places >= 0)
    scores = softmax(logits[row.places[words], : len(task.labels)].astype(np.float64), axis=1)
    return [
        WordPrediction(
            entity=task.labels[label],
            score=float(word_scores[label]),
            word=row.words[word],
            index=int(word),
        )
        for word, word_scores, label in zip(words, scores, scores.argmax(axis=1), strict=True)
    ]


def read_pooling(folder: Path) -> Pooling:
    """Reads from a base's sentence-transformers files which vector stands for a text."""
    file = folder / POOLING_FILE
    if not file.is_file():
        return "mean"
    try:
        values = json.loads(file.read_text(encoding="utf8"))
        modes = [key for key, value in values.items() if key.startswith("pooling_mode_") and value]
    except (ValueError, RecursionError, AttributeError, OSError) as error:
        raise InputError(f"{file}: expected a JSON object of pooling modes: {error}.") from error
    if len(modes) != 1 or modes[0] not in POOLING_MODES:
        raise InputError(f"{file}: expected one of {', '.join(POOLING_MODES)}, got {modes}.")
    return POOLING_MODES[modes[0]]


def pool(vectors: np.ndarray, pooling: Pooling) -> list[float]:
    """Picks the vector of a text: `[2, hidden]` holds the first token's and the mean."""
    return vectors[1 if pooling == "mean" else 0].tolist()
