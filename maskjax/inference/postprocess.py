"""From outputs to answers in the shape of the pipelines of transformers, ready for JSON."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NotRequired, TypedDict

import numpy as np
from scipy.special import expit, softmax

from maskjax.errors import InputError
from maskjax.inference.forward import predict_labels
from maskjax.inference.preprocess import Function, TokenizedRow
from maskjax.tasks import Task


class Prediction(TypedDict):
    """A label of a row, or the number of a row of regression.

    Attributes:
        label: The class or choice; for regression `LABEL_0` in answers, else the number as text.
        score: Its probability, or what else the score function makes of its logit; the number.
        truncated: True if the row was longer than what the task reads; else missing.
    """

    label: str
    score: float
    truncated: NotRequired[bool]


class WordPrediction(TypedDict):
    """The label of a word.

    Attributes:
        entity: The label, O included.
        score: Its probability.
        word: The word.
        index: The number of the word in its row, from 0.
        truncated: True if the row was longer than what the task reads; else missing.
    """

    entity: str
    score: float
    word: str
    index: int
    truncated: NotRequired[bool]


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
    """Makes the answer to one row from the outputs of its sequences; of windows, the mean counts.

    Example:
        >>> task = Task(name="t", labels=("no", "yes"))
        >>> make_answer(task, TokenizedRow(()), [np.array([0.0, 0.0, 9.0])], 1)
        [{'label': 'no', 'score': 0.5}]
    """
    if task is None:
        return pool(outputs, "first")
    answer = _answer(task, row, outputs, top_k, function)
    if row.truncated:
        for prediction in answer:
            prediction["truncated"] = True
    return answer


def _answer(
    task: Task,
    row: TokenizedRow,
    outputs: Sequence[np.ndarray],
    top_k: int | None,
    function: Function,
) -> list[Prediction] | list[WordPrediction]:
    logits = row_logits(task, row, outputs)
    if task.kind == "tokens":
        return _label_words(task, row.words, logits)
    if task.kind == "regression":
        value = expit(logits[0, 0]) if function == "sigmoid" else logits[0, 0]
        return [Prediction(label="LABEL_0", score=float(value))]
    return _ranked(task, logits[0], top_k, function)


def row_logits(task: Task, row: TokenizedRow, outputs: Sequence[np.ndarray]) -> np.ndarray:
    """Logits `[units, outputs]` of a row, means of its windows; NaN for words without a token."""
    if task.kind == "choice":
        return np.concatenate(outputs)[None]
    if task.kind != "tokens":
        return _mean(outputs)[None, : task.num_outputs]
    if row.places is None:
        raise ValueError(f"Task {task.name} labels words; expected a row that was read as words.")
    words = [
        np.where(places[:, None] >= 0, window[places, : task.num_outputs], np.float32(np.nan))
        for window, places in zip(outputs, row.places, strict=True)
    ]
    return np.concatenate(words)


def _mean(outputs: Sequence[np.ndarray]) -> np.ndarray:
    """The mean over windows, as `Encoded.merge_windows` takes it."""
    return np.asarray(np.mean(np.stack(outputs), axis=0, dtype=np.float64), np.float32)


def predict_rows(task: Task, logits: np.ndarray) -> list[Prediction]:
    """The likeliest class of each unit and its probability, or its number.

    Args:
        task: The task.
        logits: `[units, outputs]`; NaN for words without a token.

    Returns:
        One prediction per unit. A word without a token has the label O where the task has it, else
        `_`, and the score 0.

    Example:
        >>> predict_rows(Task(name="t", labels=("no", "yes")), np.array([[0.0, 0.0]]))
        [{'label': 'no', 'score': 0.5}]
    """
    if task.kind == "regression":
        values = logits[:, 0]
        return [Prediction(label=f"{value:.3f}", score=float(value)) for value in values]
    names = task.labels
    no_token = Prediction(label="O" if "O" in names else "_", score=0.0)
    scores = softmax(logits.astype(np.float64), axis=1)
    return [
        no_token if label < 0 else Prediction(label=names[label], score=float(scores[unit, label]))
        for unit, label in enumerate(predict_labels(task, logits))
    ]


def _ranked(
    task: Task, logits: np.ndarray, top_k: int | None, function: Function
) -> list[Prediction]:
    logits = logits.astype(np.float64)
    scores = {"softmax": softmax, "sigmoid": expit, "none": np.asarray}[function](logits)
    order = np.argsort(-scores, kind="stable")[:top_k]
    return [Prediction(label=task.labels[n], score=float(scores[n])) for n in order]


def _label_words(task: Task, words: Sequence[str], logits: np.ndarray) -> list[WordPrediction]:
    scores = softmax(logits.astype(np.float64), axis=1)
    return [
        WordPrediction(
            entity=task.labels[label],
            score=float(scores[index, label]),
            word=words[index],
            index=index,
        )
        for index, label in enumerate(predict_labels(task, logits))
        if label >= 0
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


def pool(windows: Sequence[np.ndarray], pooling: Pooling) -> list[float]:
    """Picks the vector of a text: `[2, hidden]` of a window holds the first token's and the mean.

    Example:
        >>> pool([np.array([[1.0], [3.0]]), np.array([[2.0], [6.0]])], "mean")
        [4.5]
    """
    return _mean([vectors[1 if pooling == "mean" else 0] for vectors in windows]).tolist()
