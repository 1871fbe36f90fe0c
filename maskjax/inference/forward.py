"""Forward passes over many rows: batches in, one array of logits out, in the order of the rows."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

import jax
import numpy as np

from maskjax.models import Model
from maskjax.models.model import Params
from maskjax.progress import counted
from maskjax.tasks import ENTITY_METRICS, Encoded, Task, entity_score, eval_batches
from maskjax.tasks import score as metric_score
from maskjax.tasks.task import labeled_words

Predict = Callable[[Params, dict[str, np.ndarray]], jax.Array]
"""A compiled `(params, inputs) -> logits`; params are an argument: a new task never recompiles."""

Array = TypeVar("Array", np.ndarray, jax.Array)

INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def make_predict(model: Model, parts: int = 1) -> Predict:
    """Compiles a model's forward pass without dropout.

    Args:
        model: The model.
        parts: Parts of a batch that it goes through one after the other, with memory for the
            activations of one, as `train.accumulate` says.

    Returns:
        A function that compiles once for each length of a batch.
    """
    if parts == 1:
        return jax.jit(model.apply)
    return jax.jit(apply_in_parts(model.apply, parts, choices_of(model)))


@cache  # the same function has the same compiled programs
def apply_in_parts(apply: Predict, parts: int, choices: int = 1) -> Predict:
    """Goes through one part of the rows after the other; the function is not compiled.

    Args:
        apply: The function of all rows.
        parts: A divisor of the number of rows.
        choices: Sequences of a row.

    Returns:
        The function in parts.
    """
    if parts == 1:
        return apply

    def in_parts(params: Params, inputs: Mapping[str, Any]) -> jax.Array:
        rows = inputs["input_ids"].shape[0] // choices
        split = split_parts(inputs, parts, rows)
        outputs = jax.lax.map(lambda part: apply(params, part), split)
        return outputs.swapaxes(0, 1).reshape(rows, *outputs.shape[2:])

    return in_parts


def choices_of(model: Model) -> int:
    """Sequences of a row of a model."""
    return model.num_outputs if model.kind == "choice" else 1


def split_parts(arrays: Mapping[str, jax.Array], parts: int, rows: int) -> dict[str, jax.Array]:
    """Splits a batch; every `parts`-th row to one part, so that no row leaves its device.

    Args:
        arrays: Arrays of a batch, whose first axis has the same number of sequences for each row.
        parts: A divisor of the number of rows.
        rows: The number of rows.

    Returns:
        Arrays `[parts, sequences of a part, ...]`.
    """

    def split(leaf: jax.Array) -> jax.Array:
        each = leaf.shape[0] // rows  # a row of choices is several sequences
        spread = leaf.reshape(rows // parts, parts, each, *leaf.shape[1:]).swapaxes(0, 1)
        return spread.reshape(parts, rows // parts * each, *leaf.shape[1:])

    return {name: split(leaf) for name, leaf in arrays.items()}


def model_inputs(batch: Mapping[str, Array]) -> dict[str, Array]:
    """Picks the arrays of a batch that a model reads.

    Args:
        batch: A batch of `maskjax.tasks`.

    Returns:
        Its ids, mask and token types.
    """
    return {name: batch[name] for name in INPUTS}


def predict_logits(
    predict: Predict,
    params: Params,
    encoded: Encoded,
    *,
    batch_size: int,
    buckets: Sequence[int],
    pad_id: int,
) -> np.ndarray:
    """Runs a model over all rows of a split.

    Args:
        predict: From `make_predict`.
        params: Adapted params.
        encoded: The tokenized rows; labels are not used.
        batch_size: Rows a batch; the last one is padded, and the padding dropped again.
        buckets: Lengths that batches are padded to.
        pad_id: The token id of padding.

    Returns:
        Logits `[units, outputs]`, float32, in the order of the rows and their words: the mean over
        the windows of a row that is read in several; NaN for words that have no token.
    """
    batches = eval_batches(encoded, batch_size=batch_size, buckets=buckets, pad_id=pad_id)
    pieces = []
    unit = "rows" if encoded.window_counts is None else "windows"
    with counted("evaluating", encoded.windows, unit) as counter:
        for rows, batch in batches:
            pieces.append((rows, np.asarray(predict(params, model_inputs(batch)))))
            counter.add(len(rows))
    return gather_logits(encoded, pieces)


def gather_logits(encoded: Encoded, pieces: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Puts the logits of batches into the order of the rows and their words.

    Args:
        encoded: The tokenized rows.
        pieces: The window numbers of each batch of `eval_batches`, and the model's logits of it.

    Returns:
        As `predict_logits` gives them.
    """
    positions, width = encoded.word_positions, pieces[0][1].shape[-1]
    if positions is None:
        outputs = np.full((encoded.windows, width), np.nan, np.float32)
        for windows, logits in pieces:
            outputs[windows] = logits[: len(windows)]
        return encoded.merge_windows(outputs)
    outputs = np.full((len(positions.values), width), np.nan, np.float32)
    for windows, logits in pieces:
        for window, sequence in zip(windows, logits, strict=False):  # the rest fills the batch up
            words = np.flatnonzero(positions[window] >= 0)
            outputs[positions.offsets[window] + words] = sequence[positions[window][words]]
    return outputs


def predict_labels(task: Task, logits: np.ndarray) -> np.ndarray:
    """Turns logits into what a task predicts.

    Args:
        task: The task.
        logits: `[units, outputs]`.

    Returns:
        Class ids `[units]`, -1 for words without logits; for regression, numbers.

    Example:
        >>> words = Task(name="t", kind="tokens", labels=("a", "b"))
        >>> predict_labels(words, np.array([[0.0, 1.0], [np.nan, np.nan]])).tolist()
        [1, -1]
    """
    if task.kind == "regression":
        return logits[:, 0]
    return np.where(np.isnan(logits).any(axis=1), -1, logits.argmax(axis=1))


def score_logits(
    task: Task, logits: np.ndarray, labels: np.ndarray, sizes: np.ndarray | None = None
) -> float:
    """Scores logits with a task's metric.

    Args:
        task: The task.
        logits: `[units, outputs]`.
        labels: Class ids or numbers, `[units]`; words labeled `IGNORED` are left out.
        sizes: Units of each row, `[rows]`; metrics of entities need it, since none continues in
            another sentence.

    Returns:
        The metric; higher is better.

    Raises:
        ValueError: If the metric needs `sizes` and there are none.

    Example:
        >>> task = Task(name="t", labels=("no", "yes"), metric="accuracy")
        >>> score_logits(task, np.array([[2.0, 0.0], [1.0, 0.0]]), np.array([0, 1]))
        0.5
    """
    predictions = predict_labels(task, logits)
    if task.kind == "tokens":
        kept, sizes = labeled_words(labels, sizes)
        predictions, labels = predictions[kept], labels[kept]
    if task.metric not in ENTITY_METRICS:
        return metric_score(task.metric, predictions, labels, positive=task.positive_id)
    if sizes is None:
        raise ValueError(f"{task.metric} needs the sizes of the sentences.")
    return entity_score(task.metric, predictions, labels, names=task.labels, sizes=sizes)
