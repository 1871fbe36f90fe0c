"""Forward passes over many rows: batches in, one array of logits out, rows in their own order."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import jax
import numpy as np

from maskjax.models import Model
from maskjax.models.model import Params
from maskjax.tasks import Encoded, Task, eval_batches
from maskjax.tasks import score as metric_score

Predict = Callable[[Params, dict[str, np.ndarray]], jax.Array]
"""A compiled `(params, inputs) -> logits`; params are an argument: a new task never recompiles."""

Array = TypeVar("Array", np.ndarray, jax.Array)

INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def make_predict(model: Model) -> Predict:
    """Compiles a model's forward pass without dropout.

    Args:
        model: The model.

    Returns:
        A function that compiles once for each length of a batch.
    """
    return jax.jit(model.apply)


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
        encoded: The tokenised rows; labels are not used.
        batch_size: Rows a batch; the last one is padded, and the padding dropped again.
        buckets: Lengths that batches are padded to.
        pad_id: The token id of padding.

    Returns:
        Logits `[rows, outputs]`, float32, in the order of the rows.
    """
    pieces: list[tuple[np.ndarray, np.ndarray]] = []
    batches = eval_batches(encoded, batch_size=batch_size, buckets=buckets, pad_id=pad_id)
    for rows, batch in batches:
        logits = np.asarray(predict(params, model_inputs(batch)))
        pieces.append((rows, logits[: len(rows)]))
    outputs = np.zeros((len(encoded.input_ids), pieces[0][1].shape[1]), np.float32)
    for rows, logits in pieces:
        outputs[rows] = logits
    return outputs


def score_logits(task: Task, logits: np.ndarray, labels: np.ndarray) -> float:
    """Scores logits with a task's metric.

    Args:
        task: The task.
        logits: `[rows, outputs]`.
        labels: Class ids or numbers, `[rows]`.

    Returns:
        The metric; higher is better.
    """
    classes = task.kind == "classification"
    return metric_score(task.metric, logits.argmax(axis=1) if classes else logits[:, 0], labels)
